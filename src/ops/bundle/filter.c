/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Filters of a bundle; see filter.h. A line passes because it is about tracking, not because
 * nobody thought of it as a secret.
 */
#include "ops/bundle/filter.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Words that make a line of a configuration worth having, in any case of letters. */
static const char *const tracking_words[] = {
	"conntrack", "netfilter",      "nf_",		"nf-",	      "xt_",	   "iptable",
	"ip6table",  "ip_tables",      "nft",		"hashsize",   "sysctl",	   "modprobe",
	"insmod",    "firewall",       "ufw",		"shorewall",  "br_",	   "net.ipv4.tcp",
	"net.core",  "ip_forward",     "ipv4.ip_local", "maxPerCore", "blacklist", "forwarding",
	"CloseWait", "TcpEstablished", "tcpTimeout",	"modules",
};

/* A line with one of these stays where it is, whatever else it says. */
static const char *const secret_words[] = { "secret", "passw", "token", "private", "credential" };

static const char *const log_words[] = {
	"conntrack",
	"nf_ct",
	"nf_nat",
	"SYN flooding",
	"expectation table",
	"table full",
	"Out of memory",
	"oom-kill",
	"page allocation failure",
	"suppressed",
};

static const char *const command_line_words[] = { "conntrack", "sysctl.", "blacklist", "hashsize" };

#define N(list) (sizeof(list) / sizeof((list)[0]))

static bool has_word(const char *line, size_t len, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t word_len = strlen(words[i]);

		for (size_t at = 0; at + word_len <= len; at++)
			if (strncasecmp(line + at, words[i], word_len) == 0)
				return true;
	}
	return false;
}

static int put(struct anon *anon, const char *p, size_t len, struct ct_buf *out)
{
	return anon ? anon_text(anon, p, len, out) : ct_buf_put(out, p, len);
}

/* "nf_conntrack 180224 3 nf_nat,xt_conntrack, Live 0xffffffffc0a5b000": the last word would tell
 * where the kernel lies. */
static int put_module(const char *p, size_t len, struct ct_buf *out)
{
	const char *address = memmem(p, len, " 0x", 3);
	size_t keep = address ? (size_t)(address - p) : len;
	int r = ct_buf_put(out, p, keep);

	return r == 0 && address ? ct_buf_printf(out, " 0x%016x", 0) : r;
}

/* One line without its end: what passes of it. */
static int put_line(enum bundle_filter filter, struct anon *anon, const char *p, size_t len,
		    struct ct_buf *out)
{
	switch (filter) {
	case FILTER_TRACKING:
	case FILTER_MENTIONS:
		if (has_word(p, len, tracking_words, N(tracking_words)) &&
		    !has_word(p, len, secret_words, N(secret_words)))
			return put(anon, p, len, out);
		return 0;
	case FILTER_LOG:
		return has_word(p, len, log_words, N(log_words)) ? put(anon, p, len, out) : 0;
	case FILTER_MODULES:
		return put_module(p, len, out);
	case FILTER_ALLOWANCES:
		return memmem(p, len, "allowance_exceeded", 18) ? ct_buf_put(out, p, len) : 0;
	case FILTER_WHOLE:
	case FILTER_TEXT:
	case FILTER_SOCKETS:
	case FILTER_WORDS:
	case FILTER_NOTHING:
		break;
	}
	return 0;
}

static int filter_lines(enum bundle_filter filter, struct anon *anon, const char *text, size_t len,
			struct ct_buf *out, bool *has_something)
{
	bool keeps_empty = filter == FILTER_TRACKING || filter == FILTER_MENTIONS;
	const char *at = text, *end = text + len;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t before = out->len, line = (size_t)((stop ? stop : end) - at);
		int r = put_line(filter, anon, at, line, out);

		if (r < 0)
			return r;
		*has_something |= out->len > before;
		if (stop && (keeps_empty || out->len > before) && ct_buf_put(out, "\n", 1) < 0)
			return -ENOMEM;
		at += line + (stop != NULL);
	}
	return 0;
}

static int filter_words(const char *text, size_t len, struct ct_buf *out, bool *has_something)
{
	const char *at = text, *end = text + len;

	while (at < end) {
		size_t word = 0;

		while (at + word < end && at[word] != ' ' && at[word] != '\n')
			word++;
		if (has_word(at, word, command_line_words, N(command_line_words)) &&
		    !has_word(at, word, secret_words, N(secret_words))) {
			if ((*has_something && ct_buf_put(out, " ", 1) < 0) ||
			    ct_buf_put(out, at, word) < 0)
				return -ENOMEM;
			*has_something = true;
		}
		at += word + 1;
	}
	return ct_buf_put(out, "\n", 1);
}

int bundle_filter(enum bundle_filter filter, struct anon *anon, const char *text, size_t len,
		  struct ct_buf *out, bool *has_something)
{
	*has_something = false;
	switch (filter) {
	case FILTER_NOTHING:
		*has_something = true;
		return 0;
	case FILTER_WORDS:
		return filter_words(text, len, out, has_something);
	case FILTER_SOCKETS:
		*has_something = len > 0;
		return anon ? anon_sockets(anon, text, len, out) : ct_buf_put(out, text, len);
	case FILTER_TEXT:
		*has_something = len > 0;
		return put(anon, text, len, out);
	case FILTER_WHOLE:
		*has_something = len > 0;
		return ct_buf_put(out, text, len);
	case FILTER_TRACKING:
	case FILTER_MENTIONS:
	case FILTER_LOG:
	case FILTER_MODULES:
	case FILTER_ALLOWANCES:
		break;
	}
	return filter_lines(filter, anon, text, len, out, has_something);
}
