/* SPDX-License-Identifier: BSD-2-Clause
 *
 * nft's text by libnftables, in a thread that leaves the machine's network first: see nft_text.h.
 */
#include "ops/rules/nft_text.h"

#include <errno.h>
#include <string.h>

#include "ops/rules/nft_json.h"

#ifdef HAVE_NFTABLES

#include <nftables/libnftables.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "lib/base/clean.h"

#define MAX_TEXT (64u << 20)

struct task {
	const char *text; /* borrowed, ends with NUL */
	char *json;	  /* owned */
	struct ct_err err;
	int ret;
};

/* The first line of what nft complains of. */
static int complain(struct task *t, struct nft_ctx *nft, const char *what)
{
	const char *said = nft_ctx_get_error_buffer(nft);
	int len = said ? (int)strcspn(said, "\n") : 0;

	return ct_err_set(&t->err, -EINVAL, "%s: %.*s", what, len ? len : 12,
			  len ? said : "nft says no");
}

static int load_and_list(struct task *t, struct nft_ctx *nft)
{
	nft_ctx_buffer_error(nft);
	nft_ctx_buffer_output(nft);
	if (nft_run_cmd_from_buffer(nft, t->text) != 0)
		return complain(t, nft, "nft does not take it");
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_HANDLE);
	if (nft_run_cmd_from_buffer(nft, "list ruleset") != 0)
		return complain(t, nft, "nft does not list it");
	t->json = strdup(nft_ctx_get_output_buffer(nft));
	return t->json ? 0 : ct_err_set(&t->err, -ENOMEM, "not enough memory");
}

/* The new namespace is this thread's alone, and ends with it. */
static void *run(void *arg)
{
	struct task *t = arg;
	struct nft_ctx *nft;

	if (unshare(CLONE_NEWNET) < 0) {
		t->ret = ct_err_set(&t->err, -errno,
				    "nft's text is read in a network namespace of its own, which "
				    "takes root: give it as nft -j list ruleset prints it");
		return NULL;
	}
	nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft) {
		t->ret = ct_err_set(&t->err, -ENOMEM, "libnftables does not start");
		return NULL;
	}
	t->ret = load_and_list(t, nft);
	nft_ctx_free(nft);
	return NULL;
}

/* True when the text asks for other files, which are the machine's and not the text's. */
static bool has_include(const char *text)
{
	for (const char *s = text; s; s = strchr(s, '\n')) {
		s += strspn(s, " \t\n;");
		if (strncmp(s, "include", 7) == 0 && strchr(" \t\"'", s[7]))
			return true;
	}
	return false;
}

struct ct_ruleset *nft_text_read(const char *bytes, size_t len, struct ct_err *err)
{
	auto_memory char *text = len <= MAX_TEXT ? malloc(len + 1) : NULL;
	struct ct_ruleset *rs = NULL;
	struct task t = { .text = text };
	pthread_t thread;

	if (!text) {
		ct_err_set(err, -E2BIG, "text of more than %u MiB, or not enough memory",
			   MAX_TEXT >> 20);
		return NULL;
	}
	memcpy(text, bytes, len);
	text[len] = '\0';
	if (strlen(text) != len || has_include(text)) {
		ct_err_set(err, -EINVAL,
			   strlen(text) != len ? "a NUL byte in nft's text"
					       : "nft's text includes other files: give it whole, "
						 "as nft list ruleset prints it");
		return NULL;
	}
	if (pthread_create(&thread, NULL, run, &t) != 0) {
		ct_err_set(err, -EAGAIN, "no thread to read nft's text in");
		return NULL;
	}
	(void)pthread_join(thread, NULL);
	if (t.ret == 0)
		rs = nft_json_read(t.json, strlen(t.json), err);
	else
		ct_err_set(err, t.ret, "%s", t.err.text);
	free(t.json);
	return rs;
}

#else

struct ct_ruleset *nft_text_read(const char *bytes, size_t len, struct ct_err *err)
{
	(void)bytes;
	(void)len;
	ct_err_set(err, -ENOTSUP,
		   "nft's text is not read: built without libnftables; give it as nft -j list "
		   "ruleset prints it");
	return NULL;
}

#endif
