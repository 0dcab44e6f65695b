/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A plan out of words; see plan.h.
 */
#include "ops/plan/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/number.h"
#include "ops/plan/inner.h"

#define MAX_NAME 96

const struct plan_set *plan_find(const struct plan *p, const char *name)
{
	for (unsigned i = 0; i < p->n_sets; i++)
		if (strcmp(p->set[i].setting->name, name) == 0)
			return &p->set[i];
	return NULL;
}

/* What can be written while the module is loaded. Its parameter for the buckets is the same thing
 * under another name. */
static const struct setting *writable(const char *name, struct ct_err *err)
{
	const struct setting *s = settings_find(name);

	if (!s) {
		(void)ct_err_set(err, -ENOENT,
				 "no setting is called '%s'; 'conntune settings' lists them", name);
		return NULL;
	}
	if (strcmp(s->name, "hashsize") == 0)
		return settings_find("nf_conntrack_buckets");
	if (s->scope == SETTING_MODULE || s->unit == SETTING_NAME) {
		(void)ct_err_set(err, -EROFS, "%s cannot be changed while the machine runs",
				 s->name);
		return NULL;
	}
	return s;
}

int plan_put_set(struct plan *p, const char *name, int64_t to, struct plan_set **out,
		 struct ct_err *err)
{
	const struct setting *s = writable(name, err);
	int r;

	if (!s)
		return settings_find(name) ? -EROFS : -ENOENT;
	r = setting_accepts(s, 0, to, err);
	if (r < 0)
		return ct_err_wrap(err, r, "%s", s->name);
	if (plan_find(p, s->name))
		return ct_err_set(err, -EINVAL, "%s is set twice", s->name);
	if (p->n_sets == PLAN_MAX_SETS)
		return ct_err_set(err, -E2BIG, "more than %d settings", PLAN_MAX_SETS);
	p->set[p->n_sets] = (struct plan_set){ .setting = s, .to = to };
	if (out)
		*out = &p->set[p->n_sets];
	p->n_sets++;
	return 0;
}

int plan_add_set(struct plan *p, const char *text, struct ct_err *err)
{
	const char *equals = strchr(text, '='), *value = equals ? equals + 1 : "";
	char name[MAX_NAME + 1];
	const struct setting *s;
	uint64_t n = 0;
	int r;

	if (!equals || equals == text || (size_t)(equals - text) > MAX_NAME)
		return ct_err_set(err, -EINVAL, "a change is NAME=VALUE, not '%.100s'", text);
	(void)snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
	s = writable(name, err);
	if (!s)
		return settings_find(name) ? -EROFS : -ENOENT;
	r = s->unit == SETTING_SECONDS ? ct_number_duration(value, strlen(value), &n)
				       : ct_number_u64(value, strlen(value), INT64_MAX, &n);
	if (r < 0 || n > INT64_MAX)
		return ct_err_set(err, -EINVAL, "%s: '%.40s' is no %s", s->name, value,
				  s->unit == SETTING_SECONDS ? "time" : "number");
	return plan_put_set(p, name, (int64_t)n, NULL, err);
}

int plan_add_notrack(struct plan *p, const char *text, struct ct_err *err)
{
	const char *copy;

	if (p->n_notrack == PLAN_MAX_NOTRACK)
		return ct_err_set(err, -E2BIG, "more than %d classes that are not tracked",
				  PLAN_MAX_NOTRACK);
	if (!*text || strlen(text) > PLAN_MAX_TEXT)
		return ct_err_set(err, -EINVAL, "a class of packets is like 'tcp dport 6379'");
	copy = words_put(&p->words, text, strlen(text));
	if (!copy)
		return ct_err_set(err, -ENOMEM, "out of memory");
	p->notrack[p->n_notrack++] = (struct plan_notrack){ .text = copy };
	return 0;
}

void plan_fini(struct plan *p)
{
	words_fini(&p->words);
	*p = (struct plan){ 0 };
}
