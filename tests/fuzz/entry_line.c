/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One line of a table: whatever is read as an entry is written in every form, and what was
 * written is read and written again as it is.
 */
#include <conntune/entry.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FLAGS (CT_FORMAT_ID | CT_FORMAT_LABELS | CT_FORMAT_KTIMESTAMP)

static void must(int is_true)
{
	if (!is_true)
		abort();
}

static void write_twice(const struct ct_entry *e, enum ct_form form)
{
	static char first[4 * CT_MAX_LINE], second[4 * CT_MAX_LINE];
	struct ct_text a, b;
	struct ct_entry back;

	ct_text_init(&a, first, sizeof(first));
	ct_text_init(&b, second, sizeof(second));
	must(ct_entry_format(e, form, FLAGS, &a) == 0);
	if (a.len > CT_MAX_LINE || ct_entry_parse(first, a.len, &back, NULL) < 0) {
		/* Only the option form lacks what some lines hold: an ICMP type with an answer. */
		must(a.len > CT_MAX_LINE || form == CT_FORM_SAVE);
		return;
	}
	must(ct_entry_format(&back, form, FLAGS, &b) == 0);
	must(strcmp(first, second) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ct_err err = { "" };
	struct ct_entry e;

	if (ct_entry_parse((const char *)data, size, &e, &err) < 0) {
		must(err.text[0] != '\0');
		return 0;
	}
	/* A field that a form leaves out moves unknown words to where they may mean something. */
	if (e.n_rest == 0 || !(e.known & CT_KNOWN_GRE)) {
		write_twice(&e, CT_FORM_CONNTRACK);
		write_twice(&e, CT_FORM_EXTENDED);
	}
	if (e.n_rest == 0)
		write_twice(&e, CT_FORM_PROC);
	write_twice(&e, CT_FORM_SAVE);
	return 0;
}
