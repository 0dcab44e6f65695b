/* SPDX-License-Identifier: BSD-2-Clause
 *
 * FTP: commands and answers on the control connection announce data connections. Only lines that
 * begin where an earlier payload ended with a line feed are read. Answers to Linux 6.18,
 * net/netfilter/nf_conntrack_ftp.c: help(), find_pattern(), try_rfc959(), try_rfc1123(),
 * try_eprt(), try_epsv_response(), find_nl_seq(), update_nl_seq().
 */
#include <conntune/entry.h>
#include <string.h>

#include "lib/engine/expect.h"
#include "lib/packet/wire.h"

/* Where the data connection is to go to, as announced. */
struct announced {
	uint8_t family;
	union ct_addr addr;
	uint16_t port;	   /* host order */
	uint32_t at, size; /* where the numbers stand in the payload */
};

struct text {
	const char *p;
	uint32_t len;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* @n numbers parted by @part and ended by @end (0: by anything else). Their length, 0 if not. */
static uint32_t read_numbers(struct text t, uint32_t *out, unsigned n, char part, char end)
{
	unsigned at = 0;

	memset(out, 0, n * sizeof(*out));
	for (uint32_t i = 0; i < t.len && at < n; i++) {
		if (is_digit(t.p[i]))
			out[at] = out[at] * 10 + (uint32_t)(t.p[i] - '0');
		else if (t.p[i] == part)
			at++;
		else
			return (t.p[i] == end || !end) && at == n - 1 ? i : 0;
	}
	return 0;
}

static void set_ipv4(struct announced *a, const uint32_t *octets)
{
	uint32_t v = octets[0] << 24 | octets[1] << 16 | octets[2] << 8 | octets[3];

	memset(&a->addr, 0, sizeof(a->addr));
	a->addr.ip4 = __builtin_bswap32(v);
}

/* h1,h2,h3,h4,p1,p2 */
static bool read_six(struct text t, struct announced *a, char end)
{
	uint32_t v[6];

	a->size = read_numbers(t, v, 6, ',', end);
	if (a->size == 0)
		return false;
	set_ipv4(a, v);
	a->port = (uint16_t)(v[4] << 8 | v[5]);
	return true;
}

static bool read_port_command(struct text t, struct announced *a)
{
	return read_six(t, a, '\r');
}

static bool read_227(struct text t, struct announced *a)
{
	while (t.len > 0 && !is_digit(*t.p)) {
		t.p++;
		t.len--;
		a->at++;
	}
	return read_six(t, a, 0);
}

/* A port that ends with @delimiter; 0 is none. */
static bool read_port(struct text t, uint32_t from, char delimiter, struct announced *a)
{
	uint16_t port = 0;

	for (uint32_t i = from; i < t.len; i++) {
		if (is_digit(t.p[i])) {
			port = (uint16_t)(port * 10 + (t.p[i] - '0'));
			continue;
		}
		a->port = port;
		a->size = i + 1;
		return t.p[i] == delimiter && port != 0;
	}
	return false;
}

static bool is_delimiter(char c)
{
	return c >= 33 && c <= 126 && !is_digit(c);
}

/* |1|192.0.2.1|6275| and |2|2001:db8::1|6275| */
static bool read_eprt(struct text t, struct announced *a)
{
	char d = t.len > 3 ? *t.p : 0;
	struct text addr = { t.p + 3, t.len - 3 };
	uint32_t v[4], len;

	if (!is_delimiter(d) || t.p[2] != d || t.p[1] != (a->family == CT_FAMILY_IPV6 ? '2' : '1'))
		return false;
	if (a->family == CT_FAMILY_IPV4) {
		len = read_numbers(addr, v, 4, '.', d);
		set_ipv4(a, v);
	} else {
		const char *end = memchr(addr.p, d, addr.len);
		uint8_t family;

		len = end ? (uint32_t)(end - addr.p) : 0;
		if (len &&
		    (ct_addr_parse(addr.p, len, &a->addr, &family) < 0 || family != CT_FAMILY_IPV6))
			len = 0;
	}
	return len && read_port(t, 3 + len + 1, d, a);
}

/* |||6446|; the address is the server's. */
static bool read_229(struct text t, struct announced *a)
{
	char d = t.len > 3 ? *t.p : 0;

	if (!is_delimiter(d) || t.p[1] != d || t.p[2] != d)
		return false;
	return read_port(t, 3, d, a);
}

struct pattern {
	const char *word;
	enum ct_ftp_form form;
	char skip; /* what stands before the numbers, 0 nothing */
	bool (*read)(struct text t, struct announced *a);
};

static const struct pattern patterns[CT_DIR_MAX][2] = {
	[CT_DIR_ORIG] = { { "PORT", CT_FTP_PORT, ' ', read_port_command },
			  { "EPRT", CT_FTP_EPRT, ' ', read_eprt } },
	[CT_DIR_REPLY] = { { "227 ", CT_FTP_PASV, 0, read_227 },
			   { "229 ", CT_FTP_EPSV, '(', read_229 } },
};

enum found { FOUND_NOTHING, FOUND_PART, FOUND_ALL };

static bool is_same_word(const char *a, const char *b, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		char c = a[i] >= 'a' && a[i] <= 'z' ? (char)(a[i] - 'a' + 'A') : a[i];

		if (c != b[i])
			return false;
	}
	return true;
}

static enum found find_pattern(struct text t, const struct pattern *w, struct announced *a)
{
	uint32_t len = (uint32_t)strlen(w->word), i = len;

	if (t.len <= len)
		return is_same_word(t.p, w->word, t.len) ? FOUND_PART : FOUND_NOTHING;
	if (!is_same_word(t.p, w->word, len))
		return FOUND_NOTHING;
	if (w->skip) {
		while (i < t.len && t.p[i] != w->skip)
			i++;
		if (i >= t.len - 1)
			return FOUND_PART;
		i++;
	}
	a->at = i;
	return w->read((struct text){ t.p + i, t.len - i }, a) ? FOUND_ALL : FOUND_PART;
}

static bool follows_line(const struct cold *c, enum ct_dir dir, uint32_t seq)
{
	for (unsigned i = 0; i < c->u.ftp.n_seq[dir]; i++)
		if (c->u.ftp.seq[dir][i] == seq)
			return true;
	return false;
}

static void remember_line(struct cold *c, enum ct_dir dir, uint32_t seq)
{
	uint32_t *known = c->u.ftp.seq[dir];
	unsigned older;

	if (follows_line(c, dir, seq))
		return;
	if (c->u.ftp.n_seq[dir] < 2) {
		known[c->u.ftp.n_seq[dir]++] = seq;
		return;
	}
	older = (int32_t)(known[0] - known[1]) < 0 ? 0 : 1;
	if ((int32_t)(seq - known[older]) > 0)
		known[older] = seq;
}

/* nf_nat_ftp(): what is announced is what the other end may reach. */
static bool translate(struct ct_engine *en, struct ct_packet *p, enum ct_ftp_form form,
		      const struct announced *a, struct expect *want)
{
	uint16_t port;

	want->flags = EXPECT_FOLLOW;
	want->saved_part = want->tuple.dst_part;
	port = ct_expect_find_port(en, p->entry.number, want);
	if (port == 0)
		return false;
	if (en->translate->ftp(en->translate_user, p, form, a->at, a->size, &want->tuple.dst, port))
		return true;
	ct_expect_unlink(en, ct_expect_find(en, &want->tuple, entry_at(en, p->entry.number)->zone));
	return false;
}

/* Registers the announced connection. False: the packet is to be dropped. */
static bool expect_announced(struct ct_engine *en, struct ct_packet *p, enum ct_ftp_form form,
			     const struct announced *a)
{
	uint32_t number = p->entry.number;
	enum ct_dir dir = ct_info_dir(p->info);
	struct ct_tuple mine, theirs;
	struct expect want;

	ct_entry_tuple(en, number, dir, &mine);
	ct_entry_tuple(en, number, !dir, &theirs);
	/* Somebody else's address: never opened for. */
	if (memcmp(&a->addr, &mine.src, sizeof(a->addr)) != 0)
		return true;
	want = (struct expect){ .tuple = { .src = theirs.src,
					   .dst = theirs.dst,
					   .dst_part = __builtin_bswap16(a->port),
					   .family = mine.family,
					   .proto = PROTO_TCP },
				.dir = !dir };
	if (en->translate && entry_at(en, number)->status & (CT_STATUS_SRC_NAT | CT_STATUS_DST_NAT))
		return translate(en, p, form, a, &want);
	return ct_expect_register(en, number, &want) == 0;
}

/* What becomes of a packet; the kernel notes where its line ended in all but the second case. */
enum line { LINE_FINE, LINE_INCOMPLETE, LINE_REFUSED };

static enum line read_line(struct ct_engine *en, struct ct_packet *p, struct text t)
{
	enum ct_dir dir = ct_info_dir(p->info);
	struct announced a = { .family = p->family };
	struct ct_tuple tuple;

	ct_entry_tuple(en, p->entry.number, dir, &tuple);
	a.addr = tuple.src;
	for (unsigned i = 0; i < 2; i++) {
		switch (find_pattern(t, &patterns[dir][i], &a)) {
		case FOUND_NOTHING:
			continue;
		case FOUND_PART:
			p->why = "ftp: incomplete command";
			return LINE_INCOMPLETE;
		case FOUND_ALL:
			if (expect_announced(en, p, patterns[dir][i].form, &a))
				return LINE_FINE;
			p->why = "ftp: cannot expect what is announced";
			return LINE_REFUSED;
		}
	}
	return LINE_FINE;
}

bool ct_ftp_help(struct ct_engine *en, struct ct_packet *p, struct cold *c)
{
	const uint8_t *l4 = p->data + p->offset;
	uint32_t left = p->size - p->offset, header, seq;
	enum ct_dir dir = ct_info_dir(p->info);
	enum line line = LINE_FINE;
	bool ends_line;
	struct text t;

	if (p->info != CT_INFO_ESTABLISHED && p->info != CT_INFO_ESTABLISHED_REPLY)
		return true;
	header = left >= 20 ? (l4[12] >> 4) * 4U : left;
	if (header >= left)
		return true;
	t = (struct text){ (const char *)l4 + header, left - header };
	seq = wire_be32(l4 + 4);
	ends_line = t.p[t.len - 1] == '\n'; /* before the payload may change */
	if (follows_line(c, dir, seq))
		line = read_line(en, p, t);
	if (line != LINE_INCOMPLETE && ends_line)
		remember_line(c, dir, seq + t.len);
	return line == LINE_FINE;
}
