/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kinds of values from the headers of layer 4. Answers to iptables 1.8.9, libxt_tcp.c,
 * libxtables/xtables.c (ICMP names), libxt_sctp.c, libxt_TCPOPTSTRIP.c.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/ruleset/chunks.h"
#include "lib/ruleset/ext.h"

/* TCP flags: a mask and those of it that are set; ALL and NONE stand for both ends. ---------- */

static const char *const flag_names[] = { "FIN", "SYN", "RST", "PSH", "ACK", "URG" };
#define ALL_FLAGS 0x3fu
#define SYN_MASK  0x17u /* FIN,SYN,RST,ACK */
#define SYN_FLAG  0x02u

static int flag_bits(const char *s, size_t len)
{
	if (len == 3 && strncasecmp(s, "ALL", 3) == 0)
		return ALL_FLAGS;
	if (len == 4 && strncasecmp(s, "NONE", 4) == 0)
		return 0;
	for (unsigned i = 0; i < 6; i++)
		if (len == 3 && strncasecmp(s, flag_names[i], 3) == 0)
			return 1 << i;
	return -1;
}

static int read_flags(const char *s, uint32_t *out)
{
	uint32_t all = 0;

	for (;;) {
		size_t len = strcspn(s, ",");
		int bits = flag_bits(s, len);

		if (bits < 0)
			return -EINVAL;
		all |= (uint32_t)bits;
		s += len;
		if (!*s++)
			break;
	}
	*out = all;
	return 0;
}

static void put_flags(struct ct_text *t, uint32_t flags)
{
	bool is_first = true;

	if (!flags)
		ct_text_str(t, "NONE");
	for (unsigned i = 0; i < 6; i++)
		if (flags >> i & 1) {
			ct_text_str(t, is_first ? "" : ",");
			ct_text_str(t, flag_names[i]);
			is_first = false;
		}
}

static int keep_flags(struct ct_reading *r, struct ct_rule_option *o)
{
	struct ct_text t;
	char s[80];

	ct_text_init(&t, s, sizeof(s));
	put_flags(&t, o->n[0]);
	ct_text_char(&t, ' ');
	put_flags(&t, o->n[1]);
	return ct_kind_keep(r, o, s);
}

int ct_kind_tcp_flags(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	if (read_flags(arg[0], &o->n[0]) < 0 || read_flags(arg[1], &o->n[1]) < 0)
		return -EINVAL;
	return keep_flags(r, o);
}

int ct_kind_tcp_syn(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	(void)arg;
	o->n[0] = SYN_MASK;
	o->n[1] = SYN_FLAG;
	return keep_flags(r, o);
}

/* ICMP -------------------------------------------------------------------------------------- */

static const struct icmp {
	const char *name;
	uint8_t family, type, first, last;
} icmps[] = {
#define ICMP(family, name, type, first, last) { name, CT_FAMILY_##family, type, first, last },
#include "lib/ruleset/icmp.def"
#undef ICMP
};

#define N_ICMPS (sizeof(icmps) / sizeof(icmps[0]))

/* The type that @s is or begins: names may be cut as long as they are unmistakable. */
static const struct icmp *icmp_find(uint8_t family, const char *s)
{
	const struct icmp *found = NULL;
	size_t len = strlen(s);

	for (size_t i = 0; i < N_ICMPS; i++) {
		if (icmps[i].family != family || strncasecmp(icmps[i].name, s, len) != 0)
			continue;
		if (!icmps[i].name[len])
			return &icmps[i];
		if (found)
			return NULL;
		found = &icmps[i];
	}
	return found;
}

static int icmp_numbers(const char *s, struct ct_rule_option *o)
{
	const char *slash = strchr(s, '/');
	uint64_t type, code = 0;

	if (ct_kind_number(s, slash ? (size_t)(slash - s) : strlen(s), 255, &type) < 0 ||
	    (slash && ct_kind_number(slash + 1, strlen(slash + 1), 255, &code) < 0))
		return -EINVAL;
	o->n[0] = (uint32_t)type;
	o->n[1] = (uint32_t)code;
	o->n[2] = slash ? (uint32_t)code : 255;
	return 0;
}

static int icmp_type(struct ct_reading *r, const char *s, uint8_t family, struct ct_rule_option *o)
{
	const struct icmp *named = *s ? icmp_find(family, s) : NULL;
	struct ct_text t;
	char out[16];

	if (named) {
		o->n[0] = named->type;
		o->n[1] = named->first;
		o->n[2] = named->last;
	} else if (icmp_numbers(s, o) < 0) {
		return -EINVAL;
	}
	ct_text_init(&t, out, sizeof(out));
	if (family == CT_FAMILY_IPV4 && o->n[0] == 255) {
		o->n[1] = 0;
		o->n[2] = 255;
		ct_text_str(&t, "any");
		return ct_kind_keep(r, o, out);
	}
	ct_text_u64(&t, o->n[0]);
	if (o->n[1] != 0 || o->n[2] != 255) {
		ct_text_char(&t, '/');
		ct_text_u64(&t, o->n[1]);
	}
	return ct_kind_keep(r, o, out);
}

int ct_kind_icmp_type(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return icmp_type(r, arg[0], CT_FAMILY_IPV4, o);
}

int ct_kind_icmpv6_type(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return icmp_type(r, arg[0], CT_FAMILY_IPV6, o);
}

/* SCTP chunks: all, any or only, then types with flags. -------------------------------------- */

static const struct chunk {
	const char *name, *flags; /* letters of the low bits, highest first */
	uint8_t type;
} chunks[] = {
	{ "DATA", "----IUBE", 0 },
	{ "INIT", "--------", 1 },
	{ "INIT_ACK", "--------", 2 },
	{ "SACK", "--------", 3 },
	{ "HEARTBEAT", "--------", 4 },
	{ "HEARTBEAT_ACK", "--------", 5 },
	{ "ABORT", "-------T", 6 },
	{ "SHUTDOWN", "--------", 7 },
	{ "SHUTDOWN_ACK", "--------", 8 },
	{ "ERROR", "--------", 9 },
	{ "COOKIE_ECHO", "--------", 10 },
	{ "COOKIE_ACK", "--------", 11 },
	{ "ECN_ECNE", "--------", 12 },
	{ "ECN_CWR", "--------", 13 },
	{ "SHUTDOWN_COMPLETE", "-------T", 14 },
	{ "I_DATA", "----IUBE", 64 },
	{ "RE_CONFIG", "--------", 130 },
	{ "PAD", "--------", 132 },
	{ "ASCONF", "--------", 193 },
	{ "ASCONF_ACK", "--------", 128 },
	{ "FORWARD_TSN", "--------", 192 },
	{ "I_FORWARD_TSN", "--------", 194 },
};

#define N_CHUNKS (sizeof(chunks) / sizeof(chunks[0]))

static const struct chunk *chunk_find(const char *s, size_t len)
{
	for (size_t i = 0; i < N_CHUNKS; i++)
		if (strlen(chunks[i].name) == len && strncasecmp(chunks[i].name, s, len) == 0)
			return &chunks[i];
	return NULL;
}

/* Which of a chunk's flags are asked for: upper case set, lower case not. */
struct chunk_want {
	uint8_t mask, set;
	bool is_named;
};

static int chunk_flags(const struct chunk *c, const char *s, size_t len, struct chunk_want *want)
{
	for (size_t i = 0; i < len; i++) {
		const char *at = strchr(c->flags, s[i] & ~0x20);
		uint8_t bit;

		if (!at || s[i] == '-')
			return -EINVAL;
		bit = (uint8_t)(0x80 >> (at - c->flags));
		want->mask |= bit;
		if (!(s[i] & 0x20))
			want->set |= bit;
	}
	return 0;
}

static int read_chunks(const char *s, struct chunk_want *want)
{
	if (strcasecmp(s, "ALL") == 0 || strcasecmp(s, "NONE") == 0) {
		for (size_t i = 0; i < N_CHUNKS; i++)
			want[i].is_named = (*s | 0x20) == 'a';
		return 0;
	}
	for (;;) {
		size_t len = strcspn(s, ","), name = strcspn(s, ",:");
		const struct chunk *c = chunk_find(s, name);

		if (!c)
			return -EINVAL;
		want[c - chunks].is_named = true;
		if (name < len &&
		    chunk_flags(c, s + name + 1, len - name - 1, &want[c - chunks]) < 0)
			return -EINVAL;
		s += len;
		if (!*s++)
			return 0;
	}
}

/* What judging needs of it; named all, all 256 types are meant. */
static int keep_chunks(struct ct_reading *r, const struct chunk_want *want, unsigned named,
		       struct ct_rule_option *o)
{
	struct ct_chunks *c = ct_arena_get(&r->rs->arena, sizeof(*c));

	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < N_CHUNKS; i++) {
		uint8_t type = chunks[i].type;

		if (want[i].is_named)
			c->types[type / 8] = (uint8_t)(c->types[type / 8] | 1 << type % 8);
		c->mask[type] = want[i].mask;
		c->set[type] = want[i].set;
	}
	if (named == N_CHUNKS)
		memset(c->types, 0xff, sizeof(c->types));
	o->data = c;
	return 0;
}

static void put_chunk(struct ct_text *t, const struct chunk *c, const struct chunk_want *want)
{
	ct_text_str(t, c->name);
	if (want->mask)
		ct_text_char(t, ':');
	for (unsigned i = 0; i < 8; i++)
		if (want->mask & 0x80 >> i)
			ct_text_char(t, (char)(want->set & 0x80 >> i ? c->flags[i]
								     : c->flags[i] | 0x20));
}

int ct_kind_chunk_types(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	static const char *const how[] = { "all", "any", "only" };
	struct chunk_want want[N_CHUNKS] = { { 0 } };
	unsigned n = 0, named = 0;
	struct ct_text t;
	char out[512];

	while (n < 3 && strcasecmp(arg[0], how[n]) != 0)
		n++;
	if (n == 3 || read_chunks(arg[1], want) < 0)
		return -EINVAL;
	o->n[0] = n;
	ct_text_init(&t, out, sizeof(out));
	ct_text_str(&t, how[n]);
	ct_text_char(&t, ' ');
	for (size_t i = 0; i < N_CHUNKS; i++)
		named += want[i].is_named;
	if (keep_chunks(r, want, named, o) < 0)
		return -ENOMEM;
	if (named == 0 || named == N_CHUNKS) {
		ct_text_str(&t, named ? "ALL" : "NONE");
		return ct_kind_keep(r, o, out);
	}
	named = 0;
	for (size_t i = 0; i < N_CHUNKS; i++)
		if (want[i].is_named) {
			ct_text_str(&t, named++ ? "," : "");
			put_chunk(&t, &chunks[i], &want[i]);
		}
	return ct_kind_keep(r, o, out);
}

/* TCP options by name or number, written as numbers in their order. -------------------------- */

static const struct named_option {
	const char *name;
	uint8_t number;
} option_names[] = {
	{ "wscale", 3 }, { "mss", 2 },	     { "sack-permitted", 4 },
	{ "sack", 5 },	 { "timestamp", 8 }, { "md5", 19 },
};

static int option_number(const char *s, size_t len)
{
	uint64_t v;

	for (size_t i = 0; i < sizeof(option_names) / sizeof(option_names[0]); i++)
		if (strlen(option_names[i].name) == len &&
		    memcmp(option_names[i].name, s, len) == 0)
			return option_names[i].number;
	return ct_kind_number(s, len, 255, &v) == 0 ? (int)v : -1;
}

int ct_kind_tcp_options(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	uint8_t *strip = ct_arena_get(&r->rs->arena, 32); /* a bit for each kind */
	const char *s = arg[0];
	struct ct_text t;
	char out[1024];

	if (!strip)
		return -ENOMEM;
	o->data = strip;
	for (;;) {
		size_t len = strcspn(s, ",");
		int number = option_number(s, len);

		if (number < 0)
			return -EINVAL;
		strip[number / 8] = (uint8_t)(strip[number / 8] | 1 << number % 8);
		s += len;
		if (!*s++)
			break;
	}
	ct_text_init(&t, out, sizeof(out));
	for (unsigned i = 0; i < 256; i++)
		if (strip[i / 8] >> i % 8 & 1) {
			ct_text_str(&t, t.len ? "," : "");
			ct_text_u64(&t, i);
		}
	return ct_kind_keep(r, o, out);
}

/* Mobility headers: a range of numbers, or one of the names of RFC 6275. --------------------- */

int ct_kind_mh_type(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	static const char *const names[][2] = {
		{ "binding-refresh-request", "brr" },
		{ "home-test-init", "hoti" },
		{ "careof-test-init", "coti" },
		{ "home-test", "hot" },
		{ "careof-test", "cot" },
		{ "binding-update", "bu" },
		{ "binding-acknowledgement", "ba" },
		{ "binding-error", "be" },
	};
	char number[2] = "0", *as_number[] = { number };

	for (unsigned i = 0; i < 8; i++)
		if (strcasecmp(arg[0], names[i][0]) == 0 || strcasecmp(arg[0], names[i][1]) == 0) {
			number[0] = (char)('0' + i);
			return ct_kind_range(r, as_number, o);
		}
	return ct_kind_range(r, arg, o);
}
