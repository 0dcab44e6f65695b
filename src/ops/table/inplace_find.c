/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where the kernel keeps its table: the variables nf_conntrack_hash and nf_conntrack_htable_size.
 *
 * A kernel with CONFIG_KALLSYMS_ALL tells their addresses. Others tell those of functions only:
 * then the code of a function that uses both is read, and every load relative to the instruction
 * pointer in it is a candidate. What was found either way is believed when the size is the one
 * that the module tells and chains of the array, the first, the last and others between, end in
 * the markers of their own buckets, which no other memory does.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "ops/table/inplace.h"

#define ADDRESS_DIGITS 12
#define MAX_CODE       1024u
#define MAX_CANDIDATES 64u
#define N_PROBES       64u

const char *const inplace_symbols[INPLACE_N_SYMBOLS] = {
	"nf_conntrack_hash",	"nf_conntrack_htable_size", /* the variables */
	"ct_seq_start",		"nf_conntrack_hash_check_insert", "nf_conntrack_hash_resize",
	"ctnetlink_dump_table", /* functions that use both */
};
#define N_VARIABLES 2

struct candidates {
	uint64_t at[MAX_CANDIDATES];
	unsigned n;
};

/* The array may be moved while we look: the size decides together with the chains. */
static bool is_table(const struct inplace_eye *eye, uint64_t array_at, uint64_t size_at,
		     uint32_t hashsize, struct walk_table *out)
{
	struct walk_table t = { .array_at = array_at, .size_at = size_at };

	if (eye->peek(eye->user, size_at, &t.size, sizeof(t.size)) < 0 || t.size != hashsize ||
	    eye->peek(eye->user, array_at, &t.array, sizeof(t.array)) < 0 || t.array % 8 != 0 ||
	    t.array == 0)
		return false;
	for (uint32_t i = 0; i < N_PROBES; i++) {
		uint32_t bucket = (uint32_t)((uint64_t)(hashsize - 1) * i / (N_PROBES - 1));

		if (!eye->probe(eye->user, t.array, bucket))
			return false;
	}
	*out = t;
	return true;
}

#ifdef __x86_64__
/* The addresses that instructions of @code, which stands at @address, speak of relative to their
 * own: MOV and CMP with a register, ModRM 00 reg 101 and a displacement of 32 bits. */
static void decode(const uint8_t *code, size_t len, uint64_t address, struct candidates *out)
{
	for (size_t i = 0; i + 6 <= len && out->n < MAX_CANDIDATES; i++) {
		int32_t displacement;

		if ((code[i] != 0x8b && code[i] != 0x3b && code[i] != 0x39) ||
		    (code[i + 1] & 0xc7) != 0x05)
			continue;
		memcpy(&displacement, code + i + 2, sizeof(displacement));
		out->at[out->n++] = address + i + 6 + (uint64_t)(int64_t)displacement;
	}
}
#else
static void decode(const uint8_t *code, size_t len, uint64_t address, struct candidates *out)
{
	(void)code, (void)len, (void)address, (void)out;
}
#endif

static bool find_in_code(const struct inplace_eye *eye, const char *name, uint32_t hashsize,
			 struct walk_table *out)
{
	struct candidates c = { .n = 0 };
	uint64_t address = eye->symbol(eye->user, name);
	uint8_t code[MAX_CODE];

	if (!address || eye->peek(eye->user, address, code, sizeof(code)) < 0)
		return false;
	decode(code, sizeof(code), address, &c);
	for (unsigned size = 0; size < c.n; size++) {
		uint32_t value;

		if (eye->peek(eye->user, c.at[size], &value, sizeof(value)) < 0 ||
		    value != hashsize)
			continue;
		for (unsigned array = 0; array < c.n; array++)
			if (is_table(eye, c.at[array], c.at[size], hashsize, out))
				return true;
	}
	return false;
}

void inplace_hide_addresses(char *text)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	for (size_t len; *text; text += len ? len : 1) {
		len = strspn(text, digits);
		if (len >= ADDRESS_DIGITS && strncasecmp(text, "ffff", 4) == 0)
			memset(text, 'x', len);
	}
}

int inplace_find(const struct inplace_eye *eye, uint32_t hashsize, struct walk_table *out,
		 struct ct_err *err)
{
	uint64_t array_at = eye->symbol(eye->user, inplace_symbols[0]);
	uint64_t size_at = eye->symbol(eye->user, inplace_symbols[1]);

	if (array_at && size_at && is_table(eye, array_at, size_at, hashsize, out))
		return 0;
	for (size_t i = N_VARIABLES; i < INPLACE_N_SYMBOLS; i++)
		if (find_in_code(eye, inplace_symbols[i], hashsize, out))
			return 0;
	return ct_err_set(err, -ENOENT,
			  "where the kernel keeps its table could not be found: its symbols are "
			  "hidden (kernel.kptr_restrict), or are not what they are elsewhere");
}

int inplace_find_moved(const struct inplace_eye *eye, uint32_t hashsize, struct walk_table *t,
		       struct ct_err *err)
{
	if (is_table(eye, t->array_at, t->size_at, hashsize, t))
		return 0;
	return ct_err_set(err, -ENOENT, "the table is not where it was, or is being resized");
}
