/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune collect: copies what is known of a machine into a folder that --root reads anywhere.
 */
#include "app/cmd/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/number.h"
#include "ops/bundle/bundle.h"

enum collect_key { KEY_ANONYMIZE = 1, KEY_KEY, KEY_NO_TABLE };

struct collect_state {
	bool is_anonymous, is_keyed, leaves_table;
	uint8_t key[ANON_KEY_BYTES];
};

static const struct option_spec options[] = {
	{ "anonymize", 'a', NULL, KEY_ANONYMIZE,
	  "replace addresses; the same stay the same, networks stay networks" },
	{ "key", 0, "HEX", KEY_KEY,
	  "the 32 digits addresses are replaced under, instead of chance" },
	{ "no-table", 0, NULL, KEY_NO_TABLE, "leave out entries, expectations and sockets" },
	{ NULL, 0, NULL, 0, NULL },
};

static int set_key(struct collect_state *s, const char *hex, struct ct_err *err)
{
	if (strlen(hex) != 2 * sizeof(s->key) ||
	    strspn(hex, "0123456789abcdefABCDEF") != 2 * sizeof(s->key))
		return ct_err_set(err, -EINVAL, "--key takes 32 hexadecimal digits");
	for (size_t i = 0; i < sizeof(s->key); i++) {
		char digits[5] = { '0', 'x', hex[2 * i], hex[2 * i + 1], '\0' };
		uint64_t v = 0;

		(void)ct_number_any(digits, 4, 255, &v);
		s->key[i] = (uint8_t)v;
	}
	s->is_keyed = true;
	return 0;
}

static int option(void *state, int key, const char *value, struct ct_err *err)
{
	struct collect_state *s = state;

	switch ((enum collect_key)key) {
	case KEY_ANONYMIZE:
		s->is_anonymous = true;
		return 0;
	case KEY_KEY:
		return set_key(s, value, err);
	case KEY_NO_TABLE:
		s->leaves_table = true;
		return 0;
	}
	return -EINVAL;
}

static void write_gaps(struct writer *w, const struct bundle *b)
{
	static const struct writer_column columns[] = {
		{ "what", "Missing", false },
		{ "why", "because", false },
	};

	writer_list(w, "missing", b->n_gaps ? "Not in it" : NULL, columns, 2);
	for (size_t i = 0; i < b->n_gaps; i++) {
		writer_row(w);
		writer_str(w, "what", "", b->gaps[i].what);
		writer_str(w, "why", "", b->gaps[i].why);
		writer_end(w);
	}
	writer_end(w);
}

static int summary(const struct common_options *common, const struct bundle_options *o,
		   const struct bundle *b)
{
	auto_free(writer) struct writer *w = cmd_writer(common);

	if (!w)
		return EXIT_FAILED;
	writer_begin(w, "collect", 1);
	writer_str(w, "directory", "bundle", o->dir);
	writer_u64(w, "files", "files", b->n_files);
	writer_u64(w, "bytes", "bytes", b->n_bytes);
	writer_u64(w, "commands", "commands", b->n_commands);
	writer_u64(w, "recordings", "recordings", b->n_recordings);
	if (o->has_table)
		writer_u64(w, "entries", "entries", b->n_entries);
	else
		writer_unknown(w, "entries", "entries", "left out");
	writer_u64(w, "namespaces", "namespaces", b->n_netns);
	writer_u64(w, "namespaces_closed", b->n_netns_closed ? "namespaces closed to us" : NULL,
		   b->n_netns_closed);
	writer_bool(w, "anonymized", "addresses replaced", o->is_anonymous);
	write_gaps(w, b);
	return writer_finish(w) < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct collect_state *s = state;
	struct bundle_options o = { .made_by = "conntune " CONNTUNE_VERSION,
				    .has_table = !s->leaves_table,
				    .is_anonymous = s->is_anonymous };
	auto_fini(bundle) struct bundle b = { 0 };
	auto_free(host) struct host *h = NULL;
	struct ct_err err = { "" };

	if (common->netns && strcmp(common->netns, "all") != 0)
		o.netns = common->netns;
	if (argc != 1 || (s->is_keyed && !s->is_anonymous)) {
		cmd_error("%s", argc != 1 ? "collect wants one folder to write into"
					  : "--key goes with --anonymize");
		return EXIT_MISUSE;
	}
	o.dir = argv[0];
	memcpy(o.key, s->key, sizeof(o.key));
	if (!s->is_keyed && getrandom(o.key, sizeof(o.key), 0) != (ssize_t)sizeof(o.key)) {
		cmd_error("no random numbers: %s", strerror(errno));
		return EXIT_FAILED;
	}
	h = cmd_host(common);
	if (!h)
		return EXIT_FAILED;
	if (!host_is_root(h))
		cmd_warn(common, "without root much will be missing");
	if (bundle_write(h, &o, &b, &err) < 0) {
		cmd_error("%s", err.text);
		return EXIT_FAILED;
	}
	return summary(common, &o, &b);
}

const struct command command_collect = {
	.name = "collect",
	.summary = "Copy what these commands read into a folder, to be read elsewhere",
	.arguments = "DIR",
	.options = options,
	.option = option,
	.run = run,
	.state_size = sizeof(struct collect_state),
};
