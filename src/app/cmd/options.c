/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Option tables: parsing, and the help that is made of them.
 */
#include "app/cmd/cmd.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum common_key {
	COMMON_ROOT = -1,
	COMMON_NETNS = -2,
	COMMON_JSON = -3,
	COMMON_QUIET = -4,
	COMMON_COLOUR = -5,
	COMMON_HELP = -6,
	COMMON_DEBUG = -7
};

static const struct option_spec common_specs[] = {
	{ "root", 0, "DIR", COMMON_ROOT,
	  "read a copied machine (see collect) instead of this one" },
	{ "netns", 0, "WHICH", COMMON_NETNS,
	  "network namespace: all, a name, a process id, or net:[INODE]" },
	{ "json", 0, NULL, COMMON_JSON, "machine-readable output" },
	{ "quiet", 'q', NULL, COMMON_QUIET, "no remarks on standard error" },
	{ "debug", 0, NULL, COMMON_DEBUG, "say on standard error what was tried" },
	{ "color", 0, "auto|always|never", COMMON_COLOUR, "colours on standard output" },
	{ "help", 'h', NULL, COMMON_HELP, "this text" },
	{ NULL, 0, NULL, 0, NULL },
};

static int set_colour(struct common_options *common, const char *value, struct ct_err *err)
{
	static const char *const names[] = { "auto", "never", "always" };
	static const int values[] = { -1, 0, 1 };

	assert(value);
	for (size_t i = 0; i < 3; i++) {
		if (strcmp(value, names[i]) == 0) {
			common->colour = values[i];
			return 0;
		}
	}
	return ct_err_set(err, -EINVAL, "--color takes auto, always or never, not '%s'", value);
}

static int common_option(struct common_options *common, int key, const char *value,
			 struct ct_err *err)
{
	switch ((enum common_key)key) {
	case COMMON_ROOT:
		common->root = value;
		return 0;
	case COMMON_NETNS:
		common->netns = value;
		return 0;
	case COMMON_JSON:
		common->is_json = true;
		return 0;
	case COMMON_QUIET:
		common->is_quiet = true;
		return 0;
	case COMMON_DEBUG:
		common->is_debug = true;
		return 0;
	case COMMON_COLOUR:
		return set_colour(common, value, err);
	case COMMON_HELP:
		return 1;
	}
	return -EINVAL;
}

/* Finds "--name[=value]" or "-x" in a table; @value gets what follows the equals sign. */
static const struct option_spec *find(const struct option_spec *list, const char *word,
				      const char **value)
{
	bool is_long = word[1] == '-';
	size_t len = is_long ? strcspn(word + 2, "=") : 1;

	for (; list && list->name; list++) {
		bool is_it = is_long ? strlen(list->name) == len &&
					       memcmp(list->name, word + 2, len) == 0
				     : word[1] == list->letter;

		if (!is_it)
			continue;
		if (is_long)
			*value = word[2 + len] == '=' ? word + 3 + len : NULL;
		else
			*value = word[2] ? word + 2 : NULL;
		return list;
	}
	return NULL;
}

int options_parse(const struct command *c, int *argc, char **argv, void *state,
		  struct common_options *common, struct ct_err *err)
{
	bool is_operands = false;
	int n = 0;

	for (int i = 0; i < *argc; i++) {
		char *word = argv[i];
		const struct option_spec *o;
		const char *value = NULL;
		int r;

		if (is_operands || word[0] != '-' || word[1] == '\0') {
			argv[n++] = word;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			is_operands = true;
			continue;
		}
		o = find(c->options, word, &value);
		if (!o)
			o = find(common_specs, word, &value);
		if (!o)
			return ct_err_set(err, -EINVAL,
					  "unknown option '%s'; see 'conntune %s --help'", word,
					  c->name);
		if (o->value && o->value[0] != '[' && !value) {
			if (++i >= *argc)
				return ct_err_set(err, -EINVAL, "--%s needs a value (%s)", o->name,
						  o->value);
			value = argv[i];
		} else if (!o->value && value) {
			return ct_err_set(err, -EINVAL, "--%s takes no value", o->name);
		}
		r = o->key < 0 ? common_option(common, o->key, value, err)
			       : c->option(state, o->key, value, err);
		if (r != 0)
			return r;
	}
	*argc = n;
	return 0;
}

enum { HELP_INDENT = 33, HELP_WIDTH = 80 };

/* A help text from column HELP_INDENT on, broken between words. */
static void help_text(const char *text)
{
	size_t room = HELP_WIDTH - HELP_INDENT;

	while (strlen(text) > room) {
		size_t len = room;

		while (len > 0 && text[len] != ' ')
			len--;
		if (len == 0)
			len = strcspn(text, " ");
		(void)printf("%.*s\n", (int)len, text);
		text += len + strspn(text + len, " ");
		if (*text)
			(void)printf("%*s", HELP_INDENT, "");
	}
	if (*text)
		(void)printf("%s\n", text);
}

static void help_lines(const struct option_spec *o)
{
	for (; o && o->name; o++) {
		bool is_optional = o->value && o->value[0] == '[';
		char left[64];

		(void)snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
			       o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
			       !o->value     ? ""
			       : is_optional ? "[="
					     : " ",
			       !o->value ? "" : o->value + is_optional);
		(void)printf("  %-*s ", HELP_INDENT - 3, left);
		help_text(o->help);
	}
}

void options_help(const struct command *c)
{
	(void)printf("Usage: conntune %s [options]%s%s\n\n%s.\n\n", c->name,
		     c->arguments ? " " : "", c->arguments ? c->arguments : "", c->summary);
	if (c->options && c->options[0].name) {
		(void)printf("Options:\n");
		help_lines(c->options);
		(void)printf("\n");
	}
	(void)printf("Common options:\n");
	help_lines(common_specs);
	(void)printf(
		"\nExit status: 0 done, 1 failed, 2 misuse, 3 findings. Manual: conntune(8).\n");
}

static void list_lines(const char *command, const struct option_spec *o)
{
	for (; o && o->name; o++)
		(void)printf("%s\t%s\t%.1s\t%s\t%s\n", command, o->name, &o->letter,
			     o->value ? o->value : "", o->help);
}

void options_list(const struct command *c)
{
	(void)printf("%s\t\t\t%s\t%s\n", c->name, c->arguments ? c->arguments : "", c->summary);
	list_lines(c->name, c->options);
}

void options_list_common(void)
{
	list_lines("*", common_specs);
}
