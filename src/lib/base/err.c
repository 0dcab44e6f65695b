/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sentences beside error codes; see include/conntune/err.h.
 */
#include <conntune/err.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Marks a message that did not fit, so that nobody takes a half sentence for a whole one. */
static void mark_cut(struct ct_err *err, int wanted)
{
	if (wanted >= (int)sizeof(err->text))
		memcpy(err->text + sizeof(err->text) - 4, "...", 4);
}

int ct_err_set(struct ct_err *err, int code, const char *fmt, ...)
{
	if (err) {
		va_list ap;

		va_start(ap, fmt);
		mark_cut(err, vsnprintf(err->text, sizeof(err->text), fmt, ap));
		va_end(ap);
	}
	return code;
}

int ct_err_wrap(struct ct_err *err, int code, const char *fmt, ...)
{
	if (err) {
		struct ct_err inner = *err;
		const char *sentence = inner.text[0] ? inner.text : strerror(-code);
		va_list ap;
		size_t len;

		va_start(ap, fmt);
		mark_cut(err, vsnprintf(err->text, sizeof(err->text), fmt, ap));
		va_end(ap);
		len = strlen(err->text);
		mark_cut(err, (int)len + snprintf(err->text + len, sizeof(err->text) - len, ": %s",
						  sentence));
	}
	return code;
}
