/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the readers and writers of entry lines share: the places of a line, words, refusals.
 * Private to src/lib/ct.
 */
#ifndef CT_ENTRY_LINE_H
#define CT_ENTRY_LINE_H

#include <conntune/entry.h>

#include "lib/ct/proto.h"

/* The places of the plain forms in their order, then those of the option form. Words that nobody
 * understood are kept with the place they stood behind. */
enum line_slot {
	SLOT_PROTO,
	SLOT_TIMEOUT,
	SLOT_STATE,
	SLOT_ORIG_ADDR,
	SLOT_ORIG_PARTS,
	SLOT_ORIG_ZONE,
	SLOT_ORIG_COUNTERS,
	SLOT_UNREPLIED,
	SLOT_REPLY_ADDR,
	SLOT_REPLY_PARTS,
	SLOT_REPLY_ZONE,
	SLOT_REPLY_COUNTERS,
	SLOT_FLAGS,
	SLOT_MARK,
	SLOT_SECMARK,
	SLOT_SECCTX,
	SLOT_ZONE,
	SLOT_DELTA,
	SLOT_START,
	SLOT_STOP,
	SLOT_HELPER,
	SLOT_USE,
	SLOT_ID,
	SLOT_LABELS,
	SLOT_PLAIN_END,
	SLOT_SAVE_ADDR = 32,
	SLOT_SAVE_PROTO,
};

/* What was said of one direction. */
enum line_seen {
	SEEN_SRC = 1 << 0,
	SEEN_DST = 1 << 1,
	SEEN_SRC_PART = 1 << 2, /* source port or key, or ICMP type */
	SEEN_DST_PART = 1 << 3, /* destination port or key, or ICMP code */
	SEEN_ID = 1 << 4,	/* ICMP identifier */
	SEEN_PACKETS = 1 << 5,
	SEEN_BYTES = 1 << 6,
};

/* A line being read. */
struct line {
	const char *at, *end;
	struct ct_entry *e;
	struct ct_err *err;
	unsigned seen[CT_DIR_MAX];
	enum ct_dir dir;
	uint8_t slot;
	bool is_full_addr;  /* an address stands in full where it could be shorter */
	bool is_short_addr; /* one stands compressed */
	bool is_gre_text;   /* the kernel's text of GRE timeouts */
};

/* The next word into @w. False at the end. */
bool line_word(struct line *l, struct ct_slice *w);

/* Refuses the line because of word @w: "'WORD': WHY". Returns -EINVAL. */
int line_refuse(struct line *l, struct ct_slice w, const char *why);

/* Numbers up to @max, decimal or with 0x. -EINVAL with the sentence about @w, which holds @v. */
int line_number(struct line *l, struct ct_slice w, struct ct_slice v, uint64_t max, uint64_t *out);

/* An address into @out, its family into the tuple of direction @dir. */
int line_addr(struct line *l, struct ct_slice w, struct ct_slice v, enum ct_dir dir,
	      union ct_addr *out);

/* Keeps word @w, which nobody understands. */
int line_keep(struct line *l, struct ct_slice w);

/* Marks optional field @bit as read; -EINVAL when it already was. */
int line_know(struct line *l, struct ct_slice w, uint32_t bit);

/* True when @s says @text. */
bool line_is(struct ct_slice s, const char *text);

/* True when all ports are 0: conntrack's way to write a protocol whose tracker the kernel lacks. */
bool line_is_made_up(const struct ct_entry *e);

/* Reads what follows "-A" in the option form. */
int line_parse_save(struct line *l);

/* Writes the option form; @to gets no newline. */
void line_format_save(const struct ct_entry *e, struct ct_text *to);

/* Appends the kept words that stood behind @slot. Those of a plain line never get into the option
 * form, where they would be options, nor the other way round. */
void line_put_rest(const struct ct_entry *e, uint8_t slot, struct ct_text *to);

/* What @e carries beside addresses and how it is written, CT_PARTS_NONE when nothing. */
enum ct_parts line_parts(const struct ct_entry *e);

#endif
