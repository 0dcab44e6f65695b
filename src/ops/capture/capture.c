/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The two forms of capture files, read through a sliding window: see capture.h.
 */
#include "ops/capture/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ops/capture/source.h"

enum {
	MAX_FRAME = 16 << 20,
	MAX_BLOCK = MAX_FRAME + 65536,
	MAX_INTERFACES = 65536,
	MAX_NAME = 64,
};

/* Blocks of pcapng. */
enum {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2,
	BLOCK_SIMPLE = 3,
	BLOCK_ENHANCED = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

struct interface {
	char name[MAX_NAME];
	uint32_t link, snap;
	uint8_t resolution; /* as if_tsresol has it */
	int64_t offset_s;
};

struct capture {
	struct source source;
	bool is_ng, is_swapped, is_cut, is_over;
	uint32_t record_header; /* pcap: 16, or 24 in the modified form */
	uint32_t unit_ns;	/* pcap */
	uint64_t n_frames;
	struct interface *interfaces;
	uint32_t n_interfaces, first_interface; /* of the section */
};

static uint32_t get32(const struct capture *c, const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return c->is_swapped ? __builtin_bswap32(v) : v;
}

static uint16_t get16(const struct capture *c, const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return c->is_swapped ? __builtin_bswap16(v) : v;
}

static struct interface *add_interface(struct capture *c)
{
	struct interface *more;

	if (c->n_interfaces >= MAX_INTERFACES)
		return NULL;
	/* Grows in powers of two. */
	if ((c->n_interfaces & (c->n_interfaces - 1)) == 0) {
		size_t n = c->n_interfaces ? (size_t)c->n_interfaces * 2 : 1;

		more = realloc(c->interfaces, n * sizeof(*more));
		if (!more)
			return NULL;
		c->interfaces = more;
	}
	more = &c->interfaces[c->n_interfaces++];
	*more = (struct interface){ .resolution = 6 };
	return more;
}

/* The six magic numbers of pcap. */
static int begin_pcap(struct capture *c, const uint8_t *head)
{
	static const struct {
		uint32_t magic, unit_ns, header;
	} kinds[] = { { 0xa1b2c3d4, 1000, 16 }, { 0xa1b23c4d, 1, 16 }, { 0xa1b2cd34, 1000, 24 } };
	struct interface *only;
	uint32_t magic = get32(c, head);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (magic != kinds[i].magic && magic != __builtin_bswap32(kinds[i].magic))
			continue;
		c->is_swapped = magic != kinds[i].magic;
		c->unit_ns = kinds[i].unit_ns;
		c->record_header = kinds[i].header;
		only = add_interface(c);
		if (!only)
			return -ENOMEM;
		only->link = get32(c, head + 20) & 0xffff;
		c->source.from += 24;
		return 0;
	}
	return -EBADMSG;
}

static int begin(struct capture *c, struct ct_err *err)
{
	int r = source_fill(&c->source, 24, err);
	const uint8_t *head = source_at(&c->source);

	if (r < 0)
		return r;
	if (source_left(&c->source) >= 12 && get32(c, head) == BLOCK_SECTION) {
		c->is_ng = true;
		return 0;
	}
	r = r == 0 ? -EBADMSG : begin_pcap(c, head);
	return r < 0 ? ct_err_set(err, r, "is neither pcap nor pcapng") : 0;
}

int capture_open(const char *path, struct capture **out, struct ct_err *err)
{
	struct capture *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return ct_err_set(err, -ENOMEM, "%s: no memory", path);
	r = source_open(&c->source, path, err);
	if (r == 0)
		r = begin(c, err);
	if (r < 0) {
		capture_free(c);
		return ct_err_wrap(err, r, "%s", path);
	}
	*out = c;
	return 0;
}

void capture_free(struct capture *c)
{
	if (!c)
		return;
	source_fini(&c->source);
	free(c->interfaces);
	free(c);
}

const char *capture_interface(const struct capture *c, uint32_t interface)
{
	if (interface >= c->n_interfaces || c->interfaces[interface].name[0] == 0)
		return NULL;
	return c->interfaces[interface].name;
}

bool capture_is_cut(const struct capture *c)
{
	return c->is_cut;
}

/* Readers of one step: 1 a frame, 2 something else was read, 0 the end. @is_first: it may move
 * the window; else it must not, and gives 0 where it would have to. */
static int has(struct capture *c, size_t need, bool is_first, struct ct_err *err)
{
	if (source_left(&c->source) >= need)
		return 1;
	return is_first ? source_fill(&c->source, need, err) : 0;
}

static int at_end(struct capture *c, bool is_first)
{
	if (is_first && source_left(&c->source) > 0)
		c->is_cut = true;
	return 0;
}

static int read_pcap(struct capture *c, struct frame *out, bool is_first, struct ct_err *err)
{
	const uint8_t *p;
	uint32_t size;
	int r = has(c, c->record_header, is_first, err);

	if (r <= 0)
		return r < 0 ? r : at_end(c, is_first);
	p = source_at(&c->source);
	size = get32(c, p + 8);
	if (size > MAX_FRAME)
		return ct_err_set(err, -EBADMSG, "frame %llu claims %u bytes",
				  (unsigned long long)c->n_frames + 1, size);
	r = has(c, c->record_header + (size_t)size, is_first, err);
	if (r <= 0)
		return r < 0 ? r : at_end(c, is_first);
	p = source_at(&c->source);
	*out = (struct frame){
		.at = (ct_time)get32(c, p) * CT_NS_PER_S + (ct_time)get32(c, p + 4) * c->unit_ns,
		.data = p + c->record_header,
		.size = size,
		.wire_size = get32(c, p + 12),
		.link = c->interfaces[0].link,
		.number = ++c->n_frames,
	};
	c->source.from += c->record_header + (size_t)size;
	return 1;
}

static void read_option(const struct capture *c, struct interface *i, unsigned code,
			const uint8_t *value, unsigned size)
{
	enum { OPTION_NAME = 2, OPTION_RESOLUTION = 9, OPTION_OFFSET = 14 };

	if (code == OPTION_NAME) {
		size = size < MAX_NAME - 1 ? size : MAX_NAME - 1;
		memcpy(i->name, value, size);
		i->name[size] = 0;
	} else if (code == OPTION_RESOLUTION && size >= 1) {
		i->resolution = value[0];
	} else if (code == OPTION_OFFSET && size == 8) {
		uint64_t low = get32(c, value), high = get32(c, value + 4);

		i->offset_s = (int64_t)(c->is_swapped ? low << 32 | high : high << 32 | low);
	}
}

static int read_interface(struct capture *c, const uint8_t *body, uint32_t size, struct ct_err *err)
{
	struct interface *i;

	if (size < 8)
		return 2;
	i = add_interface(c);
	if (!i)
		return ct_err_set(err, -E2BIG, "describes more than %d interfaces", MAX_INTERFACES);
	i->link = get16(c, body);
	i->snap = get32(c, body + 4);
	for (uint32_t at = 8; at + 4 <= size;) {
		unsigned code = get16(c, body + at), n = get16(c, body + at + 2);

		if (code == 0 || at + 4 + n > size)
			break;
		read_option(c, i, code, body + at + 4, n);
		at += 4 + ((n + 3U) & ~3U);
	}
	return 2;
}

static ct_time frame_time(const struct interface *i, uint64_t ticks)
{
	static const uint64_t ten[] = { 1,	10,	 100,	   1000,      10000,
					100000, 1000000, 10000000, 100000000, 1000000000 };
	unsigned n = i->resolution & 0x7f;
	uint64_t ns = 0;

	if (i->resolution & 0x80) {
		uint64_t rest = n < 64 ? ticks & ((UINT64_C(1) << n) - 1) : ticks;

		ns = (n < 64 ? ticks >> n : 0) * (uint64_t)CT_NS_PER_S;
		/* Of a fine fraction the high 32 bits are more than nanoseconds need. */
		if (n > 32) {
			rest = n - 32 < 64 ? rest >> (n - 32) : 0;
			n = 32;
		}
		ns += rest * (uint64_t)CT_NS_PER_S >> n;
	} else if (n <= 9) {
		ns = ticks * ten[9 - n];
	} else {
		ns = n <= 18 ? ticks / ten[n - 9] : 0;
	}
	return (ct_time)(ns + (uint64_t)i->offset_s * (uint64_t)CT_NS_PER_S);
}

static int make_frame(struct capture *c, struct frame *out, uint32_t interface, uint64_t ticks,
		      const uint8_t *data, uint32_t size, uint32_t wire_size, uint32_t room)
{
	const struct interface *i;

	c->n_frames++;
	if (interface >= c->n_interfaces - c->first_interface)
		return 2;
	i = &c->interfaces[c->first_interface + interface];
	*out = (struct frame){
		.at = frame_time(i, ticks),
		.data = data,
		.size = size < room ? size : room,
		.wire_size = wire_size,
		.link = i->link,
		.interface = c->first_interface + interface,
		.number = c->n_frames,
	};
	return 1;
}

static int read_body(struct capture *c, uint32_t type, const uint8_t *body, uint32_t size,
		     struct frame *out, struct ct_err *err)
{
	uint32_t interface, wire;
	uint64_t high;

	switch (type) {
	case BLOCK_INTERFACE:
		return read_interface(c, body, size, err);
	case BLOCK_ENHANCED:
	case BLOCK_PACKET:
		if (size < 20)
			return 2;
		interface = type == BLOCK_PACKET ? get16(c, body) : get32(c, body);
		high = get32(c, body + 4);
		return make_frame(c, out, interface, high << 32 | get32(c, body + 8), body + 20,
				  get32(c, body + 12), get32(c, body + 16), size - 20);
	case BLOCK_SIMPLE:
		if (size < 4 || c->n_interfaces == c->first_interface)
			return 2;
		wire = get32(c, body);
		interface = c->interfaces[c->first_interface].snap;
		if (interface == 0 || interface > wire)
			interface = wire;
		(void)make_frame(c, out, 0, 0, body + 4, interface, wire, size - 4);
		out->at = 0; /* this block has no time, whatever its interface's offset */
		return 1;
	default:
		return 2;
	}
}

/* A section's first field tells its byte order. */
static void read_section(struct capture *c, const uint8_t *block)
{
	uint32_t magic;

	memcpy(&magic, block + 8, 4);
	c->is_swapped = magic != 0x1a2b3c4d;
	c->first_interface = c->n_interfaces;
}

static int read_ng(struct capture *c, struct frame *out, bool is_first, struct ct_err *err)
{
	const uint8_t *p;
	uint32_t size, type;
	int r = has(c, 12, is_first, err);

	if (r <= 0)
		return r < 0 ? r : at_end(c, is_first);
	p = source_at(&c->source);
	type = get32(c, p);
	if (type == BLOCK_SECTION)
		read_section(c, p);
	size = get32(c, p + 4);
	if (size < 12 || size > MAX_BLOCK || size % 4 != 0)
		return ct_err_set(err, -EBADMSG, "block behind frame %llu claims %u bytes",
				  (unsigned long long)c->n_frames, size);
	r = has(c, size, is_first, err);
	if (r <= 0)
		return r < 0 ? r : at_end(c, is_first);
	p = source_at(&c->source);
	c->source.from += size;
	return read_body(c, type, p + 8, size - 12, out, err);
}

int capture_read(struct capture *c, struct frame *out, unsigned max, struct ct_err *err)
{
	unsigned n = 0;

	while (n < max && !c->is_over) {
		int r = c->is_ng ? read_ng(c, &out[n], n == 0, err)
				 : read_pcap(c, &out[n], n == 0, err);

		if (r < 0) {
			/* What was read before is good; the error comes with the next call. */
			if (n > 0)
				break;
			c->is_over = true;
			return r;
		}
		if (r == 0)
			break;
		n += r == 1;
	}
	return (int)n;
}
