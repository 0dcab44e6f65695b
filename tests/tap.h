/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Unit tests in TAP: a test is a function, a suite a list of them, a failure says both values.
 *
 *     TEST(number_refuses_blanks) { uint64_t v; EQ_INT(ct_number_u64(" 1", 2, 9, &v), -EINVAL); }
 *     TAP_MAIN(&tap_number_refuses_blanks)
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct tap_test {
	const char *name;
	void (*run)(void);
};

static unsigned tap_failures;	 /* in the running test */
static const char *tap_skip_why; /* the running test cannot be done here */

#define TEST(name)                                                                                 \
	static void test_##name(void);                                                             \
	static const struct tap_test tap_##name = { #name, test_##name };                          \
	static void test_##name(void)

#define TAP_FAIL(...)                                                                              \
	do {                                                                                       \
		tap_failures++;                                                                    \
		printf("# %s:%d: ", __FILE__, __LINE__);                                           \
		printf(__VA_ARGS__);                                                               \
		printf("\n");                                                                      \
	} while (0)

#define OK(claim)                                                                                  \
	do {                                                                                       \
		if (!(claim))                                                                      \
			TAP_FAIL("not true: %s", #claim);                                          \
	} while (0)

#define EQ_INT(got, want)                                                                          \
	do {                                                                                       \
		long long tap_g = (long long)(got), tap_w = (long long)(want);                     \
		if (tap_g != tap_w)                                                                \
			TAP_FAIL("%s is %lld, want %lld", #got, tap_g, tap_w);                     \
	} while (0)

#define EQ_STR(got, want)                                                                          \
	do {                                                                                       \
		const char *tap_g = (got), *tap_w = (want);                                        \
		if (!tap_g || strcmp(tap_g, tap_w) != 0)                                           \
			TAP_FAIL("%s is\n#   '%s', want\n#   '%s'", #got,                          \
				 tap_g ? tap_g : "(null)", tap_w);                                 \
	} while (0)

#define SKIP(why)                                                                                  \
	do {                                                                                       \
		tap_skip_why = (why);                                                              \
		return;                                                                            \
	} while (0)

static inline int tap_run(const struct tap_test *const *tests, size_t n)
{
	unsigned bad = 0;

	printf("1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		tap_failures = 0;
		tap_skip_why = NULL;
		tests[i]->run();
		bad += tap_failures > 0;
		printf("%sok %zu %s%s%s\n", tap_failures ? "not " : "", i + 1, tests[i]->name,
		       tap_skip_why ? " # SKIP " : "", tap_skip_why ? tap_skip_why : "");
		(void)fflush(stdout);
	}
	return bad > 0;
}

/* Stands at the end of a file: TAP_MAIN(&tap_a, &tap_b) */
#define TAP_MAIN(...)                                                                              \
	int main(void)                                                                             \
	{                                                                                          \
		static const struct tap_test *const tests[] = { __VA_ARGS__ };                     \
		return tap_run(tests, sizeof(tests) / sizeof(tests[0]));                           \
	}

#endif
