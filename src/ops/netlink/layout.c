/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Attributes by table: see layout.h.
 */
#include "ops/netlink/layout.h"

/* The exact payload of each kind; 0 means the kind checks for itself. */
static const uint8_t kind_size[] = {
	[NL_U8] = 1,	[NL_RAW16] = 2,	 [NL_BE16] = 2,	     [NL_BE32] = 4, [NL_BE64] = 8,
	[NL_ADDR4] = 4, [NL_ADDR6] = 16, [NL_TCP_FLAGS] = 2, [NL_ZONE] = 2, [NL_TUPLE] = 0,
};

static uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* An address of the other family inside a tuple is a contradiction. */
static int read_addr(const struct nl_reader *r, const struct nl_attr *a, uint8_t other, void *to)
{
	if (r->family == other)
		return -EBADMSG;
	memcpy(to, a->p, a->size);
	return 0;
}

static int read_string(const struct nl_attr *a, struct ct_slice *to)
{
	const uint8_t *nul = memchr(a->p, '\0', a->size);

	*to = (struct ct_slice){ .p = (const char *)a->p,
				 .len = nul ? (uint32_t)(nul - a->p) : a->size };
	return 0;
}

static int read_labels(const struct nl_reader *r, const struct nl_attr *a)
{
	if (a->size > sizeof(r->entry->labels))
		return -EBADMSG;
	memcpy(r->entry->labels, a->p, a->size);
	r->entry->labels_len = (uint8_t)a->size;
	return 0;
}

static int read_nest(struct nl_reader *r, const struct nl_field *f, const struct nl_attr *a,
		     void *to)
{
	uint32_t before = r->known;
	int error = nl_layout_read(r, ct_bytes_of(a->p, a->size), f->nest, to, NULL);

	r->known = before | (r->known & ~f->hides);
	return error;
}

static int read_tuple(struct nl_reader *r, const struct nl_field *f, const struct nl_attr *a,
		      struct ct_tuple *to)
{
	to->family = r->family;
	if (!nl_tuple_read_usual(a, to))
		return read_nest(r, f, a, to);
	r->known |= CT_KNOWN_PARTS & ~f->hides;
	return 0;
}

static int read_field(struct nl_reader *r, const struct nl_field *f, const struct nl_attr *a,
		      void *base)
{
	void *to = (uint8_t *)base + f->offset;
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	if (kind_size[f->kind] && a->size != kind_size[f->kind])
		return -EBADMSG;
	switch ((enum nl_kind)f->kind) {
	case NL_NONE:
		return 0;
	case NL_U8:
	case NL_TCP_FLAGS:
		memcpy(to, a->p, 1);
		return 0;
	case NL_RAW16:
		memcpy(to, a->p, 2);
		return 0;
	case NL_BE16:
		v16 = get_be16(a->p);
		memcpy(to, &v16, 2);
		return 0;
	case NL_BE32:
		v32 = get_be32(a->p);
		memcpy(to, &v32, 4);
		return 0;
	case NL_BE64:
		v64 = (uint64_t)get_be32(a->p) << 32 | get_be32(a->p + 4);
		memcpy(to, &v64, 8);
		return 0;
	case NL_ADDR4:
		return read_addr(r, a, CT_FAMILY_IPV6, to);
	case NL_ADDR6:
		return read_addr(r, a, CT_FAMILY_IPV4, to);
	case NL_ZONE:
		r->entry->zone = get_be16(a->p);
		r->entry->zone_dir = f->arg;
		return 0;
	case NL_STRING:
		return read_string(a, to);
	case NL_LABELS:
		return read_labels(r, a);
	case NL_TUPLE:
		return read_tuple(r, f, a, to);
	case NL_NEST:
	case NL_GROUP:
		return read_nest(r, f, a, to);
	}
	return -EBADMSG;
}

int nl_layout_read(struct nl_reader *r, struct ct_bytes attrs, const struct nl_layout *l,
		   void *base, uint32_t *seen)
{
	uint32_t mask = 0;
	struct nl_attr a;
	int more;

	while ((more = nl_attr_take(&attrs, &a)) > 0) {
		const struct nl_field *f;
		int error;

		if (a.type >= l->n)
			continue;
		f = &l->fields[a.type];
		if (f->known && !(f->known & r->want))
			continue;
		error = read_field(r, f, &a, base);
		if (error < 0)
			return error;
		if (f->kind != NL_GROUP)
			r->known |= f->known;
		mask |= 1u << a.type;
	}
	if (more < 0)
		return more;
	if ((mask & l->needs) != l->needs && (!l->or_needs || (mask & l->or_needs) != l->or_needs))
		return -EBADMSG;
	if (seen)
		*seen = mask;
	return 0;
}

/* Empty nests are not written: they would read as missing parts. */
static void write_nest(struct nl_message *m, const struct ct_entry *e, unsigned type,
		       const struct nl_layout *l, const void *base)
{
	size_t at = nl_nest_begin(m, type), empty = m->len;

	nl_layout_write(m, e, l, base);
	if (m->len == empty && !m->is_full)
		m->len = at;
	else
		nl_nest_end(m, at);
}

static void write_string(struct nl_message *m, unsigned type, const struct ct_slice *s)
{
	uint8_t *at = nl_message_room(m, NL_ATTR_HEADER + s->len + 1);
	uint16_t head[2] = { (uint16_t)(NL_ATTR_HEADER + s->len + 1), (uint16_t)type };

	if (!at)
		return;
	memcpy(at, head, sizeof(head));
	if (s->len)
		memcpy(at + NL_ATTR_HEADER, s->p, s->len);
}

static void write_field(struct nl_message *m, const struct ct_entry *e, unsigned type,
			const struct nl_field *f, const void *base)
{
	const void *from = (const uint8_t *)base + f->offset;
	uint8_t flags[2] = { 0, 0 };
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch ((enum nl_kind)f->kind) {
	case NL_NONE:
		return;
	case NL_U8:
	case NL_RAW16:
	case NL_ADDR4:
	case NL_ADDR6:
		nl_attr_put(m, type, from, kind_size[f->kind]);
		return;
	case NL_TCP_FLAGS:
		memcpy(flags, from, 1);
		nl_attr_put(m, type, flags, 2);
		return;
	case NL_BE16:
		memcpy(&v16, from, 2);
		nl_attr_put_be16(m, type, v16);
		return;
	case NL_BE32:
		memcpy(&v32, from, 4);
		nl_attr_put_be32(m, type, v32);
		return;
	case NL_BE64:
		memcpy(&v64, from, 8);
		nl_attr_put_be64(m, type, v64);
		return;
	case NL_ZONE:
		nl_attr_put_be16(m, type, e->zone);
		return;
	case NL_STRING:
		write_string(m, type, from);
		return;
	case NL_LABELS:
		nl_attr_put(m, type, e->labels, e->labels_len);
		return;
	case NL_NEST:
	case NL_GROUP:
	case NL_TUPLE:
		write_nest(m, e, type, f->nest, from);
		return;
	}
}

void nl_layout_write(struct nl_message *m, const struct ct_entry *e, const struct nl_layout *l,
		     const void *base)
{
	for (unsigned type = 0; type < l->n; type++) {
		const struct nl_field *f = &l->fields[type];

		if (f->is_present ? f->is_present(e, base) : !f->known || (e->known & f->known))
			write_field(m, e, type, f, base);
	}
}
