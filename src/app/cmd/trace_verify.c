/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The same conversation through the running kernel. It answers to what the kernel made of its own
 * packets, so that a port drawn otherwise does not end it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cmd/replay.h"
#include "app/cmd/trace.h"
#include "ops/rehearse/rehearse.h"

enum { MAX_PAUSE_S = 5 };

/* Time passes as the steps say, as far as anybody would wait. */
static void pass_time(ct_time gap)
{
	if (gap > MAX_PAUSE_S * CT_NS_PER_S)
		gap = MAX_PAUSE_S * CT_NS_PER_S;
	if (gap > 0)
		(void)usleep((useconds_t)(gap / CT_NS_PER_US));
}

static void keep(const struct rehearse_result *got, struct trace_outcome *out)
{
	struct ct_text packet;

	*out = (struct trace_outcome){ .fate = got->fate };
	(void)snprintf(out->state, sizeof(out->state), "%s", got->state);
	if (got->out)
		(void)snprintf(out->out, sizeof(out->out), "%s", got->out);
	ct_text_init(&packet, out->packet, sizeof(out->packet));
	if (got->data)
		replay_brief(got->data, got->size, &packet);
}

/* A rehearse_fn. */
static int send_all(void *user, struct rehearsal *r)
{
	struct trace *t = user;
	auto_memory uint8_t *room = malloc(TALK_MAX_PACKET);
	int result = room ? 0 : -ENOMEM;

	for (unsigned i = 0; result == 0 && i < t->talk.n; i++) {
		const struct talk_step *s = &t->talk.steps[i];
		struct rehearse_result got;
		struct ct_way way;
		uint32_t size;

		pass_time(s->gap);
		size = talk_build(s, &t->kernels.flows[s->flow], room);
		way = trace_way_of(t, &t->kernels, s);
		result = rehearse_send(r, room, size, &way, &got);
		keep(&got, &t->kernel[i]);
		trace_arrived(&t->kernels, s, got.data, got.size, got.fate, got.out);
	}
	return result;
}

int trace_verify(struct trace *t, const struct sim_config *cfg, struct ct_err *err)
{
	auto_free(host) struct host *h = NULL;
	struct rehearse_config with = { .machine = t->machine,
					.rules4 = cfg->rules4,
					.rules6 = cfg->rules6,
					.rules_nft = cfg->rules_nft,
					.settings = &cfg->engine.settings };
	int result = host_open("/", &h, err);

	if (result < 0)
		return result;
	t->kernel = calloc(t->talk.n, sizeof(*t->kernel));
	if (!t->kernel)
		return ct_err_set(err, -ENOMEM, "no memory");
	with.host = h;
	result = rehearse(&with, send_all, t, err);
	if (result < 0 && !err->text[0])
		(void)ct_err_set(err, result, "the kernel does not take a packet: %s",
				 strerror(-result));
	return result;
}
