/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where the kernel keeps its table is found by the names in its symbol table, else by its code, and
 * believed only when the chains say so. The kernel here is made up: its symbols are lines as
 * /proc/kallsyms has them, its memory is a few bytes.
 */
#include "ops/table/inplace.h"

#include <errno.h>
#include <string.h>

#include "ops/table/kallsyms.h"
#include "tap.h"

#define HASHSIZE 65536u
#define SIZE_AT	 0xffffffff82f02168u
#define ARRAY_AT 0xffffffff82f02170u
#define ARRAY	 0xffff888103c00000u
#define CODE_AT	 0xffffffff81f3b2b0u

/* Debian's kernels list all symbols (CONFIG_KALLSYMS_ALL). */
static const char all_symbols[] = "ffffffff81f3b2b0 t ct_seq_start\t[nf_conntrack]\n"
				  "ffffffff82f02168 D nf_conntrack_htable_size\t[nf_conntrack]\n"
				  "ffffffff82f02170 D nf_conntrack_hash\t[nf_conntrack]\n"
				  "ffffffff82f02178 d nf_conntrack_hash_rnd\t[nf_conntrack]\n";
/* Others those of functions. */
static const char text_symbols[] = "ffffffff81f3b2a0 t __pfx_ct_seq_start\n"
				   "ffffffff81f3b2b0 t ct_seq_start\n";
/* kernel.kptr_restrict, or no right to see addresses. */
static const char hidden_symbols[] = "0000000000000000 t ct_seq_start\n"
				     "0000000000000000 D nf_conntrack_htable_size\n"
				     "0000000000000000 D nf_conntrack_hash\n";

struct machine {
	const char *symbols;
	uint64_t array;
	uint32_t size;
	uint32_t wrong_bucket; /* whose chain ends elsewhere; UINT32_MAX none */
	bool has_code;
	unsigned n_probed;
};

static uint64_t symbol(void *user, const char *name)
{
	const struct machine *m = user;
	struct kallsyms_name wanted = { .name = name };

	kallsyms_scan(m->symbols, strlen(m->symbols), &wanted, 1);
	return wanted.address;
}

/* cmp %eax,SIZE(%rip) and mov ARRAY(%rip),%rax among other bytes. */
static void put_code(uint8_t *to, uint32_t len)
{
	int32_t size = (int32_t)(int64_t)(SIZE_AT - (CODE_AT + 16));
	int32_t array = (int32_t)(int64_t)(ARRAY_AT - (CODE_AT + 47));

	memset(to, 0x90, len);
	to[10] = 0x3b;
	to[11] = 0x05;
	memcpy(to + 12, &size, sizeof(size));
	to[40] = 0x48;
	to[41] = 0x8b;
	to[42] = 0x05;
	memcpy(to + 43, &array, sizeof(array));
}

static int peek(void *user, uint64_t address, void *out, uint32_t len)
{
	const struct machine *m = user;

	if (address == SIZE_AT && len == sizeof(m->size))
		memcpy(out, &m->size, len);
	else if (address == ARRAY_AT && len == sizeof(m->array))
		memcpy(out, &m->array, len);
	else if (address == CODE_AT && m->has_code)
		put_code(out, len);
	else
		return -EFAULT;
	return 0;
}

static bool probe(void *user, uint64_t array, uint32_t bucket)
{
	struct machine *m = user;

	m->n_probed++;
	return array == ARRAY && bucket < m->size && bucket != m->wrong_bucket;
}

static int find(struct machine *m, struct walk_table *out)
{
	const struct inplace_eye eye = { m, symbol, peek, probe };
	struct ct_err err = { "" };
	int r = inplace_find(&eye, HASHSIZE, out, &err);

	OK((r == 0) == (err.text[0] == '\0'));
	OK(!strstr(err.text, "ffff"));
	return r;
}

static struct machine machine(const char *symbols, bool has_code)
{
	return (struct machine){ .symbols = symbols,
				 .array = ARRAY,
				 .size = HASHSIZE,
				 .wrong_bucket = UINT32_MAX,
				 .has_code = has_code };
}

static bool is_it(const struct walk_table *t)
{
	return t->array_at == ARRAY_AT && t->size_at == SIZE_AT && t->array == ARRAY &&
	       t->size == HASHSIZE;
}

TEST(symbols_are_read_as_they_stand)
{
	static const char text[] = "\n"
				   "nonsense\n"
				   "zz T a\n"
				   "12 T\n"
				   "0000000000000abc T nf_conntrack_hash_rnd\n"
				   "0000000000000def T __nf_conntrack_hash\n"
				   "0000000000000123 D nf_conntrack_hash\t[nf_conntrack]\n"
				   "0000000000000456 D nf_conntrack_hash\n"
				   "0000000000000789 D cut_off";
	struct kallsyms_name names[] = { { .name = "nf_conntrack_hash" },
					 { .name = "cut_off" },
					 { .name = "a" } };

	kallsyms_scan(text, strlen(text), names, 3);
	EQ_INT(names[0].address, 0x123);
	EQ_INT(names[1].address, 0);
	EQ_INT(names[2].address, 0);
}

TEST(addresses_are_hidden_and_nothing_else)
{
	char text[] = "R1=0xffffc90000123000 ffff8881 deadbeefdeadbeef 12: FFFF888100000000.";

	inplace_hide_addresses(text);
	EQ_STR(text, "R1=0xxxxxxxxxxxxxxxxx ffff8881 deadbeefdeadbeef 12: xxxxxxxxxxxxxxxx.");
}

TEST(named_symbols_are_enough)
{
	struct machine m = machine(all_symbols, false);
	struct walk_table t;

	EQ_INT(find(&m, &t), 0);
	OK(is_it(&t));
	OK(m.n_probed >= 32);
}

TEST(code_tells_where_names_do_not)
{
	struct machine m = machine(text_symbols, true);
	struct walk_table t;
	int r = find(&m, &t);

#ifdef __x86_64__
	EQ_INT(r, 0);
	OK(is_it(&t));
#else
	EQ_INT(r, -ENOENT);
#endif
}

TEST(hidden_addresses_are_none)
{
	struct machine m = machine(hidden_symbols, true);
	struct walk_table t;

	EQ_INT(find(&m, &t), -ENOENT);
	EQ_INT(m.n_probed, 0);
	m = machine("", true);
	EQ_INT(find(&m, &t), -ENOENT);
}

TEST(another_size_is_another_table)
{
	struct machine m = machine(all_symbols, false);
	struct walk_table t;

	m.size = HASHSIZE / 2;
	EQ_INT(find(&m, &t), -ENOENT);
	EQ_INT(m.n_probed, 0);
}

TEST(one_wrong_chain_is_enough_to_refuse)
{
	static const uint32_t wrong[] = { 0, HASHSIZE - 1 };
	struct walk_table t;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct machine m = machine(all_symbols, true);

		m.wrong_bucket = wrong[i];
		EQ_INT(find(&m, &t), -ENOENT);
	}
}

TEST(an_array_that_cannot_be_one_is_refused)
{
	struct machine m = machine(all_symbols, false);
	struct walk_table t;

	m.array = ARRAY + 4;
	EQ_INT(find(&m, &t), -ENOENT);
	m.array = 0;
	EQ_INT(find(&m, &t), -ENOENT);
}

TEST(a_table_that_moved_is_found_where_its_variables_are)
{
	struct machine m = machine(all_symbols, false);
	const struct inplace_eye eye = { &m, symbol, peek, probe };
	struct walk_table t = { .array_at = ARRAY_AT, .size_at = SIZE_AT, .array = 8, .size = 1 };
	struct ct_err err = { "" };

	EQ_INT(inplace_find_moved(&eye, HASHSIZE, &t, &err), 0);
	OK(is_it(&t));
	m.size = 1;
	EQ_INT(inplace_find_moved(&eye, HASHSIZE, &t, &err), -ENOENT);
}

TAP_MAIN(&tap_addresses_are_hidden_and_nothing_else, &tap_symbols_are_read_as_they_stand,
	 &tap_named_symbols_are_enough, &tap_code_tells_where_names_do_not,
	 &tap_hidden_addresses_are_none, &tap_another_size_is_another_table,
	 &tap_one_wrong_chain_is_enough_to_refuse, &tap_an_array_that_cannot_be_one_is_refused,
	 &tap_a_table_that_moved_is_found_where_its_variables_are)
