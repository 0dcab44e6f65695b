/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A recorded case: a directory whose case.json says which capture the kernel was given, under
 * which settings and in which role, so that an engine can be given the same.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cmd/replay.h"

static int join(char *out, const char *dir, const char *name, struct ct_err *err)
{
	if (snprintf(out, REPLAY_PATH, "%s/%s", dir, name) >= REPLAY_PATH)
		return ct_err_set(err, -EINVAL, "%s/%s: the name is too long", dir, name);
	return 0;
}

static bool is_true(const json_t *root, const char *key)
{
	return json_is_true(json_object_get(root, key));
}

/* A member that is one text or a list of texts. */
static int each_text(const json_t *value,
		     int (*use)(struct replay_options *, const char *, struct ct_err *),
		     struct replay_options *o, struct ct_err *err)
{
	size_t i, n = json_is_array(value) ? json_array_size(value) : 1;

	for (i = 0; value && i < n; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
		const char *text = json_string_value(item);
		int r = text ? use(o, text, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* DEV=ADDR/LEN */
static int use_addr(struct replay_options *o, const char *text, struct ct_err *err)
{
	const char *equals = strchr(text, '=');

	return replay_add_local(o, equals ? equals + 1 : text, err);
}

static int read_case(struct replay_options *o, const char *dir, const json_t *root,
		     struct ct_err *err)
{
	const char *pcap = json_string_value(json_object_get(root, "pcap"));
	const char *sysctl = json_string_value(json_object_get(root, "sysctl"));
	const char *results = json_string_value(json_object_get(root, "results"));
	const char *mode = json_string_value(json_object_get(root, "mode"));
	char path[REPLAY_PATH], name[REPLAY_PATH];
	int r;

	if (!pcap)
		return ct_err_set(err, -EINVAL, "%s/case.json: names no capture", dir);
	o->is_host = mode && strcmp(mode, "host") == 0;
	o->fixes_checksums |= is_true(root, "fix_checksums");
	o->pads |= is_true(root, "pad");
	o->engine.settings.acct = 1;
	r = each_text(json_object_get(root, "local"), replay_add_local, o, err);
	if (r == 0)
		r = each_text(json_object_get(root, "addr"), use_addr, o, err);
	if (r == 0)
		r = each_text(json_object_get(root, "helpers"), replay_add_helper, o, err);
	if (r == 0 && sysctl)
		r = join(path, dir, sysctl, err);
	if (r == 0 && sysctl)
		r = replay_read_settings(o, path, err);
	if (r == 0)
		r = join(o->capture, dir, pcap, err);
	if (r < 0)
		return r;
	/* What the kernel was given in the end, with the clock it saw. */
	(void)snprintf(name, sizeof(name), "%s/replayed.pcapng", results ? results : "expected");
	r = join(path, dir, name, err);
	if (r == 0 && access(path, R_OK) == 0) {
		memcpy(o->numbering, o->capture, sizeof(o->numbering));
		memcpy(o->capture, path, sizeof(o->capture));
		o->fixes_checksums = o->pads = false;
	}
	return r;
}

int replay_read_case(struct replay_options *o, const char *dir, struct ct_err *err)
{
	char path[REPLAY_PATH];
	json_error_t fault;
	json_t *root;
	int r = join(path, dir, "case.json", err);

	if (r < 0)
		return r;
	root = json_load_file(path, 0, &fault);
	if (!root)
		return ct_err_set(err, -EINVAL, "%s: %s", path, fault.text);
	r = read_case(o, dir, root, err);
	json_decref(root);
	return r;
}
