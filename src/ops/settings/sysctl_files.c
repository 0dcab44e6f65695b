/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading sysctl.d and sysctl.conf; see sysctl_files.h. Answers to parse_file() and apply_all() of
 * systemd-sysctl 252 and Preload() of procps 4.
 */
#include "ops/settings/sysctl_files.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "ops/settings/conf_dirs.h"

static const struct {
	const char *name;
	const char *dirs[6]; /* the strongest first */
	bool has_conf;	     /* /etc/sysctl.conf is read last */
} readers[] = {
	[SYSCTL_BY_SYSTEMD] = { "systemd-sysctl",
				{ "/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d",
				  "/usr/lib/sysctl.d", "/lib/sysctl.d" },
				false },
	[SYSCTL_BY_PROCPS_SYSTEM] = { "sysctl --system",
				      { "/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d",
					"/usr/lib/sysctl.d", "/lib/sysctl.d" },
				      true },
	[SYSCTL_BY_PROCPS] = { "sysctl -p", { NULL }, true },
	[SYSCTL_BY_UPSTART] = { "sysctl of the procps job", { "/etc/sysctl.d" }, true },
	[SYSCTL_BY_OPENWRT] = { "/etc/init.d/sysctl", { "/etc/sysctl.d" }, true },
};

const char *sysctl_reader_name(enum sysctl_reader r)
{
	return readers[r].name;
}

static int out_of_memory(struct ct_err *err)
{
	return ct_err_set(err, -ENOMEM, "out of memory");
}

static int add_skip(struct sysctl_files *to, const char *file, unsigned line, const char *why)
{
	struct sysctl_skip *at = list_grown(to->skipped, to->n_skipped, sizeof(*at));

	if (!at)
		return -ENOMEM;
	to->skipped = at;
	at[to->n_skipped++] = (struct sysctl_skip){ .file = file, .line = line, .why = why };
	return 0;
}

void sysctl_key_normalise(char *key)
{
	char *p = strpbrk(key, "/."), *to;

	if (p && *p == '.')
		for (; p; p = strpbrk(p + 1, "/."))
			*p = *p == '.' ? '/' : '.';
	/* one slash between parts, none in front or behind */
	for (p = to = key; *p; p++)
		if (*p != '/' || (to != key && to[-1] != '/'))
			*to++ = *p;
	while (to != key && to[-1] == '/')
		to--;
	*to = '\0';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void strip(const char **s, size_t *len)
{
	while (*len && is_blank((*s)[*len - 1]))
		(*len)--;
	while (*len && is_blank(**s))
		(*s)++, (*len)--;
}

static int add_assignment(struct sysctl_files *to, const struct sysctl_assignment *a)
{
	struct sysctl_assignment *at;

	if (to->n == SYSCTL_MAX_ASSIGNMENTS)
		return -E2BIG;
	at = list_grown(to->at, to->n, sizeof(*at));
	if (!at)
		return -ENOMEM;
	to->at = at;
	at[to->n++] = *a;
	return 0;
}

static int parse_line(struct sysctl_files *to, const char *file, unsigned line, const char *s,
		      size_t len)
{
	struct sysctl_assignment a = { .file = file, .line = line };
	const char *equals;
	size_t key_len;
	char *key;

	strip(&s, &len);
	if (!len || *s == '#' || *s == ';')
		return 0;
	equals = memchr(s, '=', len);
	if (!equals && *s != '-')
		return add_skip(to, file, line, "not an assignment");
	if (*s == '-') {
		a.ignores_failure = true;
		s++, len--;
	}
	key_len = equals ? (size_t)(equals - s) : len;
	if (equals) {
		const char *value = equals + 1;
		size_t value_len = len - key_len - 1;

		strip(&value, &value_len);
		a.value = words_put(&to->words, value, value_len);
		if (!a.value)
			return -ENOMEM;
	}
	strip(&s, &key_len);
	if (!key_len || key_len > SYSCTL_MAX_KEY)
		return add_skip(to, file, line, key_len ? "the key is too long" : "no key");
	key = words_put(&to->words, s, key_len);
	if (!key)
		return -ENOMEM;
	sysctl_key_normalise(key);
	a.key = key;
	a.is_pattern = strpbrk(key, "*?[") != NULL;
	return add_assignment(to, &a);
}

int sysctl_files_parse(struct sysctl_files *to, const char *file, const char *text, size_t len,
		       struct ct_err *err)
{
	const char *kept = words_put(&to->words, file, strlen(file));
	const char *end = text + len;
	unsigned line = 0;
	int r = kept ? 0 : -ENOMEM;

	while (r == 0 && text < end) {
		size_t n = 0;

		/* A NUL ends a line too, for systemd; nothing behind it is lost. */
		while (text + n < end && text[n] != '\n' && text[n] != '\0')
			n++;
		r = parse_line(to, kept, ++line, text, n);
		text += n + 1;
	}
	if (r == -E2BIG)
		return ct_err_set(err, r, "%s: more than %d assignments", file,
				  SYSCTL_MAX_ASSIGNMENTS);
	return r < 0 ? out_of_memory(err) : 0;
}

int sysctl_files_add(struct host *h, struct sysctl_files *to, const char *path, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	const char **files = NULL;
	int r = host_read(h, path, &b);

	if (r < 0)
		return ct_err_wrap(err, r, "%s", path);
	r = sysctl_files_parse(to, path, b.p ? b.p : "", b.len, err);
	if (r < 0)
		return r;
	files = list_grown(to->files, to->n_files, sizeof(*files));
	if (!files)
		return out_of_memory(err);
	to->files = files;
	files[to->n_files] = words_put(&to->words, path, strlen(path));
	return files[to->n_files++] ? 0 : out_of_memory(err);
}

/* Adds @path; a file that cannot be read is noted, not an error. */
static int add_or_skip(struct host *h, struct sysctl_files *to, const char *path,
		       struct ct_err *err)
{
	int r = sysctl_files_add(h, to, path, err);
	const char *kept, *why;

	if (r == 0 || r == -ENOMEM || r == -E2BIG)
		return r;
	if (r == -ENOENT)
		return 0; /* a link to nothing: it hides others and says nothing */
	kept = words_put(&to->words, path, strlen(path));
	why = words_put(&to->words, strerror(-r), strlen(strerror(-r)));
	return kept && why && add_skip(to, kept, 0, why) == 0 ? 0 : out_of_memory(err);
}

int sysctl_files_read(struct host *h, enum sysctl_reader reader, struct sysctl_files *out,
		      struct ct_err *err)
{
	auto_fini(conf_files) struct conf_files list = { 0 };
	auto_fini(sysctl_files) struct sysctl_files f = { 0 };
	struct ct_err ignored = { "" };
	int r = conf_files_list(h, readers[reader].dirs, ".conf", &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (!list.at[i].is_masked)
			r = add_or_skip(h, &f, list.at[i].path, err ? err : &ignored);
	if (r == 0 && readers[reader].has_conf)
		r = add_or_skip(h, &f, "/etc/sysctl.conf", err ? err : &ignored);
	if (r < 0)
		return r;
	if (err)
		err->text[0] = '\0';
	*out = f;
	f = (struct sysctl_files){ 0 };
	return 0;
}

const struct sysctl_assignment *sysctl_files_decides(const struct sysctl_files *f,
						     const char *wanted)
{
	const struct sysctl_assignment *pattern = NULL;
	char key[SYSCTL_MAX_KEY + 1];

	if (strlen(wanted) >= sizeof(key))
		return NULL;
	(void)strcpy(key, wanted);
	sysctl_key_normalise(key);
	for (size_t i = f->n; i-- > 0;) {
		const struct sysctl_assignment *a = &f->at[i];

		if (!a->is_pattern && strcmp(a->key, key) == 0)
			return a->value ? a : NULL;
		if (a->is_pattern && a->value && !pattern &&
		    fnmatch(a->key, key, FNM_PATHNAME) == 0)
			pattern = a;
	}
	return pattern;
}

void sysctl_files_fini(struct sysctl_files *f)
{
	free(f->at);
	free(f->skipped);
	free(f->files);
	words_fini(&f->words);
	*f = (struct sysctl_files){ 0 };
}
