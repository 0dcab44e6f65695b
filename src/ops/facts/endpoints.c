/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sockets in an open hash table that doubles; addresses in a short list. Addresses come from Linux
 * net/ipv4/fib_trie.c, fib_trie_seq_show(), and net/ipv6/addrconf.c, if6_seq_show(). See
 * endpoints.h.
 */
#include "ops/facts/endpoints.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/facts/sockets.h"

#define FIRST_SIZE 1024u
#define MAX_OWN	   4096
#define MAX_LINE   1024

struct own {
	union ct_addr addr;
	uint8_t family;
};

struct endpoints {
	uint64_t seed;
	struct socket_line *at; /* size places; family 0 is a free one */
	size_t n, size;
	bool is_cut, is_own_known;
	struct own own[MAX_OWN];
	size_t n_own;
	union ct_addr leaf; /* the address of the trie's line before */
	bool has_leaf;
};

/* --- sockets --- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0xff51afd7ed558ccd);
	return h ^ h >> 32;
}

static size_t place(const struct endpoints *e, const struct socket_line *l)
{
	uint64_t h = e->seed, part[4];

	memcpy(part, &l->local, 16);
	memcpy(part + 2, &l->remote, 16);
	for (unsigned i = 0; i < 4; i++)
		h = mix(h, part[i]);
	h = mix(h, (uint64_t)l->local_port << 16 | l->remote_port);
	return (size_t)h & (e->size - 1);
}

static bool is_same(const struct socket_line *a, const struct socket_line *b)
{
	return a->family == b->family && a->local_port == b->local_port &&
	       a->remote_port == b->remote_port &&
	       memcmp(&a->local, &b->local, sizeof(a->local)) == 0 &&
	       memcmp(&a->remote, &b->remote, sizeof(a->remote)) == 0;
}

/* Where @l stands, or would. */
static struct socket_line *find(const struct endpoints *e, const struct socket_line *l)
{
	size_t i = place(e, l);

	while (e->at[i].family && !is_same(&e->at[i], l))
		i = (i + 1) & (e->size - 1);
	return &e->at[i];
}

static int grow(struct endpoints *e)
{
	struct endpoints larger = *e;

	larger.size = e->size ? e->size * 2 : FIRST_SIZE;
	larger.at = calloc(larger.size, sizeof(*larger.at));
	if (!larger.at)
		return -ENOMEM;
	for (size_t i = 0; i < e->size; i++)
		if (e->at[i].family)
			*find(&larger, &e->at[i]) = e->at[i];
	free(e->at);
	e->at = larger.at;
	e->size = larger.size;
	return 0;
}

static int take_socket(struct endpoints *e, const char *line, size_t len)
{
	struct socket_line l, *to;

	if (socket_line_parse(line, len, &l) <= 0 || l.family == CT_FAMILY_UNSPEC ||
	    l.state == SOCKET_LISTEN || l.state == SOCKET_TIME_WAIT)
		return 0;
	if (e->n == ENDPOINTS_MAX_SOCKETS) {
		e->is_cut = true;
		return 0;
	}
	if (2 * e->n >= e->size && grow(e) < 0)
		return -ENOMEM;
	to = find(e, &l);
	e->n += to->family == 0;
	*to = l;
	return 0;
}

/* --- addresses --- */

static void add_own(struct endpoints *e, const union ct_addr *a, uint8_t family)
{
	if (e->n_own < MAX_OWN && !endpoints_is_own(e, a, family))
		e->own[e->n_own++] = (struct own){ *a, family };
}

/* "|-- 10.0.0.1", and behind it "/32 host LOCAL". */
static int take_trie(struct endpoints *e, const char *line, size_t len)
{
	char text[MAX_LINE], addr[64];

	if (len >= sizeof(text))
		return 0;
	memcpy(text, line, len);
	text[len] = '\0';
	if (sscanf(text, " |-- %63s", addr) == 1) {
		e->leaf = (union ct_addr){ 0 };
		e->has_leaf = inet_pton(AF_INET, addr, &e->leaf) == 1;
	} else if (e->has_leaf && strstr(text, "/32 host LOCAL")) {
		add_own(e, &e->leaf, CT_FAMILY_IPV4);
	}
	return 0;
}

/* "fe80000000000000021122fffe334455 02 40 20 80 eth0": the bytes in the network's order. */
static int take_if_inet6(struct endpoints *e, const char *line, size_t len)
{
	union ct_addr a;

	if (len < 32)
		return 0;
	for (unsigned i = 0; i < 16; i++) {
		unsigned byte;
		char digits[3] = { line[2 * i], line[2 * i + 1], '\0' };

		if (sscanf(digits, "%2x", &byte) != 1)
			return 0;
		a.bytes[i] = (uint8_t)byte;
	}
	add_own(e, &a, CT_FAMILY_IPV6);
	return 0;
}

/* --- files --- */

typedef int (*line_taker)(struct endpoints *e, const char *line, size_t len);

static int each_line(struct endpoints *e, FILE *f, line_taker take)
{
	char line[MAX_LINE];
	int r = 0;

	while (r == 0 && fgets(line, sizeof(line), f))
		r = take(e, line, strcspn(line, "\n"));
	return r;
}

static int read_file(struct endpoints *e, struct host *h, const char *path, line_taker take)
{
	int fd = host_open_fd(h, path), r;
	FILE *f;

	if (fd < 0)
		return fd;
	f = fdopen(fd, "r");
	if (!f) {
		(void)close(fd);
		return -ENOMEM;
	}
	r = each_line(e, f, take);
	(void)fclose(f);
	return r;
}

static struct endpoints *begin(uint64_t seed)
{
	struct endpoints *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->seed = seed;
	if (grow(e) == 0)
		return e;
	free(e);
	return NULL;
}

int endpoints_read(struct host *h, uint64_t seed, struct endpoints **out)
{
	struct endpoints *e = begin(seed);
	int r4, r6;

	if (!e)
		return -ENOMEM;
	r4 = read_file(e, h, "/proc/net/tcp", take_socket);
	r6 = read_file(e, h, "/proc/net/tcp6", take_socket);
	if (r4 == -ENOMEM || r6 == -ENOMEM || (r4 < 0 && r6 < 0)) {
		endpoints_free(e);
		return r4 == -ENOMEM || r6 == -ENOMEM ? -ENOMEM : -ENOENT;
	}
	e->is_own_known = read_file(e, h, "/proc/net/fib_trie", take_trie) == 0;
	(void)read_file(e, h, "/proc/net/if_inet6", take_if_inet6);
	*out = e;
	return 0;
}

static int take_text(struct endpoints *e, const char *text, line_taker take)
{
	int r = 0;

	while (r == 0 && *text) {
		size_t len = strcspn(text, "\n");

		r = take(e, text, len);
		text += len + (text[len] == '\n');
	}
	return r;
}

int endpoints_of_text(const char *tcp, const char *addrs, uint64_t seed, struct endpoints **out)
{
	struct endpoints *e = begin(seed);

	if (!e)
		return -ENOMEM;
	e->is_own_known = addrs != NULL;
	if (take_text(e, tcp, take_socket) < 0 || (addrs && take_text(e, addrs, take_trie) < 0)) {
		endpoints_free(e);
		return -ENOMEM;
	}
	*out = e;
	return 0;
}

void endpoints_free(struct endpoints *e)
{
	if (!e)
		return;
	free(e->at);
	free(e);
}

const struct socket_line *endpoints_socket(const struct endpoints *e, const struct ct_tuple *t)
{
	struct socket_line wanted = { .local = t->src,
				      .remote = t->dst,
				      .local_port = ntohs(t->src_part),
				      .remote_port = ntohs(t->dst_part),
				      .family = t->family };
	const struct socket_line *found = find(e, &wanted);

	return found->family ? found : NULL;
}

bool endpoints_is_own(const struct endpoints *e, const union ct_addr *a, uint8_t family)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (family == CT_FAMILY_IPV4 ? a->bytes[0] == 127 : memcmp(a->bytes, one, 16) == 0)
		return true;
	for (size_t i = 0; i < e->n_own; i++)
		if (e->own[i].family == family && memcmp(&e->own[i].addr, a, sizeof(*a)) == 0)
			return true;
	return false;
}

bool endpoints_knows_own(const struct endpoints *e)
{
	return e->is_own_known;
}

bool endpoints_is_cut(const struct endpoints *e)
{
	return e->is_cut;
}
