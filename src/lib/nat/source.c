/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Whose source is mapped where: connections of one client's port share their mapping. Answers to
 * Linux 6.18, nf_nat_bysource in net/netfilter/nf_nat_core.c, nf_nat_masquerade.c.
 *
 * The kernel takes an entry out when it is freed. Here handles tell: those of entries that have
 * ended are passed over, and cleared away when the table is full.
 */
#include <errno.h>
#include <string.h>

#include "lib/base/sip.h"
#include "lib/nat/nat.h"

enum { FIRST_SOURCES = 64 };

static uint64_t hash_source(const struct ct_nat *nat, const struct ct_tuple *t, uint16_t zone)
{
	uint64_t words[3] = { 0 };

	memcpy(words, &t->src, 16);
	words[2] = (uint64_t)t->src_part | (uint64_t)t->proto << 16 | (uint64_t)zone << 32;
	return ct_sip_words(nat->key, words, 3);
}

/* The zone as the original direction has it. */
static uint16_t zone_of(const struct ct_entry *e)
{
	return e->zone_dir & CT_ZONE_ORIG ? e->zone : 0;
}

static void link_source(struct sources *s, uint32_t place)
{
	uint32_t *head = &s->head[s->at[place].hash % s->n_heads];

	s->at[place].next = *head;
	*head = place;
}

static void release_arrays(struct ct_nat *nat, struct sources *s)
{
	ct_nat_release(nat, s->at, s->max * sizeof(*s->at));
	ct_nat_release(nat, s->head, s->n_heads * sizeof(*s->head));
}

/* Moves what still lives into arrays of @max places. */
static int resize(struct ct_nat *nat, uint32_t max)
{
	struct sources *old = &nat->sources;
	struct sources more = { .max = max, .n_heads = max, .n = 1 };
	struct ct_entry e;

	more.at = ct_nat_alloc(nat, max * sizeof(*more.at));
	more.head = ct_nat_alloc(nat, max * sizeof(*more.head));
	if (!more.at || !more.head) {
		release_arrays(nat, &more);
		return -ENOMEM;
	}
	memset(more.head, 0, max * sizeof(*more.head));
	/* In their order of age: later ones stand in front. */
	for (uint32_t i = 1; i < old->n; i++) {
		if (ct_engine_entry(nat->engine, old->at[i].entry, &e) < 0)
			continue;
		more.at[more.n] = old->at[i];
		more.n_out += more.at[more.n].out[0] != '\0';
		link_source(&more, more.n++);
	}
	release_arrays(nat, old);
	*old = more;
	return 0;
}

/* Room for one more: by clearing away, and if that does not give much, by growing. */
static int make_room(struct ct_nat *nat)
{
	struct sources *s = &nat->sources;
	int ret;

	if (s->n < s->max)
		return 0;
	if (s->max == 0)
		return resize(nat, FIRST_SOURCES);
	ret = resize(nat, s->max);
	if (ret == 0 && s->n > s->max / 2)
		ret = resize(nat, s->max * 2);
	return s->n < s->max ? 0 : ret;
}

int ct_source_add(struct ct_nat *nat, struct ct_handle h, const struct ct_entry *e)
{
	struct sources *s = &nat->sources;
	int ret = make_room(nat);

	if (ret < 0)
		return ret;
	s->at[s->n] =
		(struct source){ .entry = h,
				 .hash = hash_source(nat, &e->tuple[CT_DIR_ORIG], zone_of(e)) };
	link_source(s, s->n++);
	return 0;
}

struct source *ct_source_find(const struct ct_nat *nat, struct ct_handle h,
			      const struct ct_entry *e)
{
	const struct sources *s = &nat->sources;
	uint64_t hash = hash_source(nat, &e->tuple[CT_DIR_ORIG], zone_of(e));

	if (s->n_heads == 0)
		return NULL;
	for (uint32_t i = s->head[hash % s->n_heads]; i; i = s->at[i].next)
		if (s->at[i].entry.number == h.number && s->at[i].entry.generation == h.generation)
			return &s->at[i];
	return NULL;
}

/* same_src() */
static bool is_same_source(const struct ct_tuple *a, const struct ct_tuple *b)
{
	return a->proto == b->proto && a->src_part == b->src_part &&
	       memcmp(&a->src, &b->src, sizeof(a->src)) == 0;
}

bool ct_source_mapped(const struct ct_nat *nat, const struct ct_tuple *t, const struct ct_entry *of,
		      const struct ct_nat_range *range, struct ct_tuple *out)
{
	const struct sources *s = &nat->sources;
	uint64_t hash = hash_source(nat, t, zone_of(of));

	for (uint32_t i = s->n_heads ? s->head[hash % s->n_heads] : 0; i; i = s->at[i].next) {
		struct ct_entry e;

		if (s->at[i].hash != hash || ct_engine_entry(nat->engine, s->at[i].entry, &e) < 0 ||
		    zone_of(&e) != zone_of(of) || !is_same_source(&e.tuple[CT_DIR_ORIG], t) ||
		    ct_tuple_invert(out, &e.tuple[CT_DIR_REPLY]) < 0)
			continue;
		out->dst = t->dst;
		out->dst_part = t->dst_part;
		if (ct_nat_in_range(out, range))
			return true;
	}
	return false;
}

void ct_nat_remember_out(struct ct_nat *nat, const struct ct_packet *p, const char *out)
{
	struct ct_entry e;
	struct source *s;

	if (ct_engine_entry(nat->engine, p->entry, &e) < 0)
		return;
	s = ct_source_find(nat, p->entry, &e);
	if (!s)
		return;
	nat->sources.n_out += s->out[0] == '\0';
	memset(s->out, 0, sizeof(s->out));
	memcpy(s->out, out, strnlen(out, sizeof(s->out) - 1));
}

bool ct_nat_is_out_changed(const struct ct_nat *nat, const struct ct_packet *p, const char *out)
{
	const struct source *s;
	struct ct_entry e;

	if (nat->sources.n_out == 0 || ct_info_dir((enum ct_info)p->info) != CT_DIR_ORIG ||
	    ct_engine_entry(nat->engine, p->entry, &e) < 0)
		return false;
	s = ct_source_find(nat, p->entry, &e);
	return s && s->out[0] && strncmp(s->out, out, sizeof(s->out) - 1) != 0;
}

unsigned ct_nat_forget_out(struct ct_nat *nat, const char *out, const union ct_addr *addr)
{
	struct sources *s = &nat->sources;
	unsigned n = 0;

	for (uint32_t i = 1; i < s->n; i++) {
		struct ct_entry e;

		if (!s->at[i].out[0] || strncmp(s->at[i].out, out, OUT_NAME - 1) != 0 ||
		    ct_engine_entry(nat->engine, s->at[i].entry, &e) < 0)
			continue;
		if (!addr || memcmp(addr, &e.tuple[CT_DIR_REPLY].dst, sizeof(*addr)) == 0)
			n += ct_engine_delete(nat->engine, s->at[i].entry) == 0;
	}
	return n;
}

void ct_source_fini(struct ct_nat *nat)
{
	release_arrays(nat, &nat->sources);
}
