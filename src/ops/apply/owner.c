/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See owner.h.
 */
#include "ops/apply/owner.h"

#include <stdio.h>
#include <string.h>

static const struct known_owner {
	const char *name, *marks, *settings, *where, *snippet;
} owners[] = {
#define OWNER(n, m, s, w, t) { n, m, s, w, t },
#include "ops/apply/owner.def"
#undef OWNER
};

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)) != NULL; at += len)
		if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

static bool is_here(struct host *h, const char *marks)
{
	char path[128];
	struct host_stat st;

	while (*marks) {
		size_t len = strcspn(marks, " ");

		(void)snprintf(path, sizeof(path), "%.*s", (int)len, marks);
		if (host_stat(h, path, &st) == 0)
			return true;
		marks += len + strspn(marks + len, " ");
	}
	return false;
}

/* The list's texts are formats of ours, not of anybody's input. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void fill(const struct known_owner *k, const struct setting *s, int64_t value,
		 struct owner *out)
{
	out->name = k->name;
	(void)snprintf(out->where, sizeof(out->where), "%s", k->where);
	(void)snprintf(out->snippet, sizeof(out->snippet), k->snippet, (long long)value, s->name);
}
#pragma GCC diagnostic pop

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Whether an assignment comes behind one in @own_file. That it is lost today says nothing: it may
 * be so because the module comes too late, which ours will change. */
static bool comes_later(const struct boot *b, const struct boot_assignment *a, const char *own_file)
{
	char name[128];

	if (setting_spelling(a->setting, a->key, b->release, NULL) < 0)
		return false;
	if (a->source == BOOT_BY_SCRIPT)
		return true;
	if (a->source != BOOT_BY_FILE)
		return false;
	/* systemd-sysctl does not read it, Red Hat reads nothing else and has our block at its end;
	 * all others read it last. */
	if (strncmp(a->origin, "/etc/sysctl.conf:", 17) == 0)
		return b->init != BOOT_SYSTEMD && b->init != BOOT_UNKNOWN_INIT &&
		       b->init != BOOT_SYSV_REDHAT;
	(void)snprintf(name, sizeof(name), "%s", base_name(a->origin));
	name[strcspn(name, ":")] = '\0';
	return strcmp(name, own_file) > 0;
}

bool owner_of(struct host *h, const struct boot *b, const struct setting *s, const char *key,
	      int64_t value, const char *own_file, struct owner *out)
{
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		if (!has_word(owners[i].settings, s->name) || !is_here(h, owners[i].marks))
			continue;
		fill(&owners[i], s, value, out);
		return true;
	}
	for (size_t i = b->n; i-- > 0;) {
		const struct boot_assignment *a = &b->at[i];

		if (a->setting != s || !comes_later(b, a, own_file) || a->number == value)
			continue;
		out->name = a->origin;
		(void)snprintf(out->where, sizeof(out->where), "%s", a->origin);
		(void)snprintf(out->snippet, sizeof(out->snippet), "%s = %lld", key,
			       (long long)value);
		return true;
	}
	return false;
}
