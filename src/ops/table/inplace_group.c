/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the keys of a tally and what the program in the kernel counts by.
 *
 * The program boils an entry down to a few words and is given a mask over them, wide enough that
 * entries which differ in any of the keys differ in the words. Then each group becomes one entry
 * that looks like all of its entries in whatever was asked, and takes the way into the tally that
 * every entry takes: keys are made of entries in one place only.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "ops/table/inplace.h"

static bool has_key(const struct tally_options *o, enum tally_key key)
{
	for (unsigned i = 0; i < o->n_keys; i++)
		if (o->keys[i] == key)
			return true;
	return false;
}

/* What decides the service of an entry are its ports, of which one or both need not be told. */
static void fold_service(const struct tally_options *o, struct walk_by *by)
{
	if (has_key(o, TALLY_SPORT)) {
		by->mask.word[WALK_WORD_PARTS] |= WALK_MASK_DPORT;
	} else if (has_key(o, TALLY_DPORT)) {
		by->fold = WALK_FOLD_SOURCE;
		by->mask.word[WALK_WORD_PARTS] |= WALK_MASK_SPORT;
	} else {
		by->fold = WALK_FOLD_SERVICE;
	}
}

static void mask_key(enum tally_key key, __u64 *parts, __u64 *status, struct walk_by *by)
{
	switch (key) {
	case TALLY_SRC:
	case TALLY_DST:
		memset(&by->mask.word[key == TALLY_SRC ? WALK_WORD_SRC : WALK_WORD_DST], 0xff, 16);
		*parts |= WALK_MASK_FAMILY;
		return;
	case TALLY_SPORT:
		*parts |= WALK_MASK_SPORT | WALK_MASK_PROTO;
		return;
	case TALLY_SERVICE:
	case TALLY_DPORT:
		*parts |= WALK_MASK_DPORT | WALK_MASK_PROTO;
		return;
	case TALLY_PROTO:
		*parts |= WALK_MASK_PROTO;
		return;
	case TALLY_STATE:
		*parts |= WALK_MASK_STATE | WALK_MASK_PROTO;
		*status |= CT_STATUS_OFFLOAD;
		return;
	case TALLY_IDLE:
		*parts |= WALK_MASK_IDLE | WALK_MASK_STATE | WALK_MASK_PROTO;
		*status |= CT_STATUS_OFFLOAD | CT_STATUS_ASSURED;
		return;
	case TALLY_ZONE:
		*status |= WALK_MASK_ZONE;
		return;
	case TALLY_STATUS:
		*status |= UINT32_MAX;
		return;
	case TALLY_MARK:
		by->mask.word[WALK_WORD_MARKS] |= WALK_MASK_MARK;
		return;
	case TALLY_FAMILY:
		*parts |= WALK_MASK_FAMILY;
		return;
	case TALLY_NETNS: /* the caller says whether there are several */
	case TALLY_N_KEYS:
		return;
	}
}

int inplace_by(const struct tally_options *o, bool all_netns, uint32_t hz, struct walk_by *out)
{
	struct walk_by by = { .hz = hz };

	if (getrandom(&by.seed, sizeof(by.seed), 0) < 0 ||
	    getrandom(&by.factor, sizeof(by.factor), 0) < 0)
		return -errno;
	by.factor |= 1;
	for (unsigned i = 0; i < o->n_keys; i++)
		mask_key(o->keys[i], &by.mask.word[WALK_WORD_PARTS],
			 &by.mask.word[WALK_WORD_STATUS], &by);
	if (has_key(o, TALLY_SERVICE))
		fold_service(o, &by);
	if (all_netns)
		by.mask.word[WALK_WORD_MARKS] |= WALK_MASK_NETNS;
	for (uint32_t i = 0; i < WALK_N_WORDS; i++)
		if (by.mask.word[i])
			by.stride = i + 1;
	by.stride += WALK_GROUP_HEAD;
	memcpy(by.idle_s, tally_idle_bound_s, sizeof(by.idle_s));
	*out = by;
	return 0;
}

void inplace_set_timeouts(const struct tally_options *o, struct walk_timeouts *to)
{
	for (uint32_t class = 0; class < WALK_N_CLASSES; class ++) {
		struct ct_entry e = { .known = CT_KNOWN_STATUS | CT_KNOWN_STATE };

		e.tuple[CT_DIR_ORIG].proto = (uint8_t)(class >> 5);
		e.status = class & 16 ? CT_STATUS_ASSURED : 0;
		e.state = class & 15;
		to->full_s[class] = o->timeout_s ? o->timeout_s(o->user, &e) : 0;
	}
}

/* The program told a class of idle time: any time within it will do. */
static void set_idle(const struct tally_options *o, uint64_t class, struct ct_entry *e)
{
	uint32_t full = o->timeout_s ? o->timeout_s(o->user, e) : 0;
	uint32_t idle = class > 0 && class < TALLY_N_IDLE ? tally_idle_bound_s[class - 1] : 0;

	if (class >= TALLY_N_IDLE || full < idle)
		e->known &= ~(uint32_t)CT_KNOWN_TIMEOUT;
	else
		e->timeout_s = full - idle;
}

static void set_words(const __u64 *word, unsigned n, struct walk_entry *to)
{
	__u64 all[WALK_N_WORDS] = { 0 };

	memcpy(all, word, n * sizeof(*word));
	to->orig.src_part = (uint16_t)all[WALK_WORD_PARTS];
	to->orig.dst_part = (uint16_t)(all[WALK_WORD_PARTS] >> 16);
	to->orig.proto = (uint8_t)(all[WALK_WORD_PARTS] >> WALK_AT_PROTO);
	to->state = (uint8_t)(all[WALK_WORD_PARTS] >> WALK_AT_STATE);
	to->orig.l3num = (uint8_t)(all[WALK_WORD_PARTS] >> WALK_AT_FAMILY);
	to->status = (uint32_t)all[WALK_WORD_STATUS];
	to->zone = (uint16_t)(all[WALK_WORD_STATUS] >> 32);
	to->mark = (uint32_t)all[WALK_WORD_MARKS];
	to->netns = (uint32_t)(all[WALK_WORD_MARKS] >> 32);
	memcpy(to->orig.src, &all[WALK_WORD_SRC], sizeof(to->orig.src));
	memcpy(to->orig.dst, &all[WALK_WORD_DST], sizeof(to->orig.dst));
}

void inplace_group(const __u64 *word, const struct walk_by *by, uint32_t has,
		   const struct tally_options *o, struct inplace_counted *out)
{
	struct walk_entry from = { .has = has };
	uint64_t parts = by->stride > WALK_GROUP_HEAD ? word[WALK_GROUP_HEAD] : 0;

	set_words(word + WALK_GROUP_HEAD, by->stride - WALK_GROUP_HEAD, &from);
	inplace_entry(&from, tally_want(o), by->hz, &out->entry);
	if (by->mask.word[WALK_WORD_PARTS] & WALK_MASK_IDLE)
		set_idle(o, parts >> WALK_AT_IDLE, &out->entry);
	out->netns = from.netns;
	out->group = (struct tally_group){ .n = (uint32_t)word[0],
					   .n_counted = word[0] >> 32,
					   .packets = word[1],
					   .bytes = word[2] };
}
