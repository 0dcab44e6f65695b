/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A sentence for people beside an error code for programs.
 *
 * Functions that can fail return 0 or a negative errno. Where a person will want to know more,
 * they also take a `struct ct_err`, fill it where the fault is known, and callers put their own
 * context in front on the way up: `etc/sysctl.d/50-ct.conf:3: 'abc' is not a number`.
 */
#ifndef CONNTUNE_ERR_H
#define CONNTUNE_ERR_H

/* A value; no ownership. Zero-initialised means "no message". */
struct ct_err {
	char text[512]; /* NUL-terminated, cut with "..." when longer */
};

/* Writes a sentence into @err (may be null) and returns @code, which is a negative errno, so that
 * a caller can say: return ct_err_set(err, -EINVAL, "'%s' is not a number", s); */
int ct_err_set(struct ct_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "CONTEXT: " before what @err (may be null) already says; returns @code unchanged. When
 * @err says nothing yet, the text of the errno is used as the sentence. */
int ct_err_wrap(struct ct_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
