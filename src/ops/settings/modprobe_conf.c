/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading modprobe.d; see modprobe_conf.h. Answers to kmod_config_parse() of kmod 30.
 */
#include "ops/settings/modprobe_conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/settings/conf_dirs.h"

static const char *const verbs[] = {
	[MODPROBE_OPTIONS] = "options", [MODPROBE_INSTALL] = "install",
	[MODPROBE_REMOVE] = "remove",	[MODPROBE_BLACKLIST] = "blacklist",
	[MODPROBE_ALIAS] = "alias",	[MODPROBE_SOFTDEP] = "softdep",
};

#define BLANKS " \t\r"

/* Cuts the next word off @rest; its length, 0 at the end. */
static size_t next_word(const char **rest, const char **word)
{
	size_t n;

	*rest += strspn(*rest, BLANKS);
	*word = *rest;
	n = strcspn(*rest, BLANKS);
	*rest += n;
	return n;
}

static int add_line(struct modprobe_conf *to, const struct modprobe_line *l)
{
	struct modprobe_line *at;

	if (to->n == MODPROBE_MAX_LINES)
		return -E2BIG;
	at = list_grown(to->at, to->n, sizeof(*at));
	if (!at)
		return -ENOMEM;
	to->at = at;
	at[to->n++] = *l;
	return 0;
}

static int parse_logical(struct modprobe_conf *to, const char *file, unsigned line, char *text)
{
	struct modprobe_line l = { .file = file, .line = line };
	const char *rest = text, *word, *module;
	size_t n = next_word(&rest, &word), len, verb = 0;
	char *name;

	if (!n || *word == '#')
		return 0;
	while (verb < sizeof(verbs) / sizeof(verbs[0]) &&
	       (strlen(verbs[verb]) != n || strncmp(verbs[verb], word, n) != 0))
		verb++;
	len = next_word(&rest, &module);
	if (verb == sizeof(verbs) / sizeof(verbs[0]) || !len)
		return 0;
	name = words_put(&to->words, module, len);
	if (!name)
		return -ENOMEM;
	for (char *p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	rest += strspn(rest, BLANKS);
	len = strlen(rest);
	while (len && strchr(BLANKS, rest[len - 1]))
		len--;
	l.verb = (enum modprobe_verb)verb;
	l.module = name;
	l.rest = words_put(&to->words, rest, len);
	return l.rest ? add_line(to, &l) : -ENOMEM;
}

int modprobe_conf_parse(struct modprobe_conf *to, const char *file, const char *text, size_t len,
			struct ct_err *err)
{
	const char *kept = words_put(&to->words, file, strlen(file));
	auto_fini(ct_buf) struct ct_buf joined = { 0 };
	unsigned line = 0, first = 1;
	size_t at = 0;
	int r = kept ? 0 : -ENOMEM;

	while (r == 0 && at < len) {
		size_t end = at;
		bool goes_on;

		while (end < len && text[end] != '\n')
			end++;
		goes_on = end > at && text[end - 1] == '\\';
		line++;
		r = ct_buf_put(&joined, text + at, end - at - goes_on);
		at = end + 1;
		if (r < 0 || (goes_on && at < len))
			continue;
		if (joined.p)
			r = parse_logical(to, kept, first, joined.p);
		ct_buf_fini(&joined);
		first = line + 1;
	}
	return r < 0 ? ct_err_set(err, r, "%s: %s", file,
				  r == -E2BIG ? "more lines than can be meant" : "out of memory")
		     : 0;
}

static int add_file(struct host *h, struct modprobe_conf *c, const char *path, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };

	if (host_read(h, path, &b) < 0 || !b.p)
		return 0;
	return modprobe_conf_parse(c, path, b.p, b.len, err);
}

int modprobe_conf_read(struct host *h, struct modprobe_conf *out, struct ct_err *err)
{
	static const char *const dirs[] = { "/etc/modprobe.d",		 "/run/modprobe.d",
					    "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d",
					    "/lib/modprobe.d",		 NULL };
	auto_fini(conf_files) struct conf_files list = { 0 };
	auto_fini(modprobe_conf) struct modprobe_conf c = { 0 };
	int r = conf_files_list(h, dirs, ".conf", &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (!list.at[i].is_masked)
			r = add_file(h, &c, list.at[i].path, err);
	if (r == 0)
		r = add_file(h, &c, "/etc/modprobe.conf", err);
	if (r < 0)
		return r;
	*out = c;
	c = (struct modprobe_conf){ 0 };
	return 0;
}

void modprobe_conf_fini(struct modprobe_conf *c)
{
	free(c->at);
	words_fini(&c->words);
	*c = (struct modprobe_conf){ 0 };
}

bool modprobe_option(const char *rest, const char *name, char *out, size_t size)
{
	const char *word;
	bool is_found = false;
	size_t n;

	while ((n = next_word(&rest, &word)) > 0) {
		const char *equals = memchr(word, '=', n);
		size_t name_len = equals ? (size_t)(equals - word) : n;

		if (name_len != strlen(name) || strncmp(word, name, name_len) != 0)
			continue;
		is_found = true;
		if (equals)
			(void)snprintf(out, size, "%.*s", (int)(n - name_len - 1), equals + 1);
		else
			(void)snprintf(out, size, "1");
	}
	return is_found;
}
