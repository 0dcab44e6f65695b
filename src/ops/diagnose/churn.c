/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC2: connections opened for each operation and thrown away, so that their closing entries fill
 * the table for the two minutes of TIME_WAIT.
 *
 * The rate is Little's law: entries in a state that nothing shortens, divided by its timeout.
 */
#include "ops/diagnose/judge.h"

static const char *cure(const struct summary_service *s)
{
	switch (judge_service_kind(s)) {
	case SERVICE_REDIS:
		return "Keep connections open: use the client's connection pool (lua-resty-redis: "
		       "call set_keepalive() instead of close(); phpredis: pconnect(); others: one "
		       "shared client with a pool). Sending many commands over one connection "
		       "removes these entries altogether.";
	case SERVICE_HTTP:
		return "Keep connections open. nginx to its upstream: 'keepalive 32;' in the "
		       "upstream block with proxy_http_version 1.1 and an empty Connection header; "
		       "HTTP clients: one session with keep-alive; health checks: less often.";
	case SERVICE_POOL:
		return "Keep connections open: a connection pool in the application, or in front "
		       "of the server (pgbouncer, ProxySQL, persistent connections of the driver).";
	case SERVICE_FASTCGI:
		return "Keep connections open (nginx: fastcgi_keep_conn on with keepalive in the "
		       "upstream block), or use a Unix socket, which is never tracked.";
	case SERVICE_DNS:
		return "Run a local cache, and query over UDP or over one lasting connection.";
	case SERVICE_UNKNOWN:
	case SERVICE_OTHER:
		break;
	}
	return "Let the client keep its connections open and use them again (a pool, keep-alive) "
	       "instead of opening one for each operation.";
}

static void add(const struct facts *f, const struct check *c, struct report *r,
		const struct facts_netns *ns, const struct summary_service *v)
{
	const struct summary *s = &ns->summary;
	struct finding *x;

	x = judge_add(f, r, c, judge_cause(f, ns), ns,
		      "Connections to %s are opened and thrown away: %u of %llu entries (%s) are "
		      "closing%s.",
		      judge_service(f, ns, r, v), v->n_closing, (unsigned long long)s->n,
		      judge_percent(r, (double)v->n_closing / (double)s->n),
		      v->rate_per_s > 0 ? report_text(r, ", about %.*f new ones a second",
						      v->rate_per_s < 10, v->rate_per_s)
					: "");
	if (s->timeouts.tcp[CT_TCP_TIME_WAIT] > 0)
		finding_evidence(r, x, "in TIME_WAIT", "the table",
				 "%u, each kept %u s after its end", v->n_time_wait,
				 s->timeouts.tcp[CT_TCP_TIME_WAIT]);
	else
		finding_evidence(r, x, "in TIME_WAIT", "the table", "%u", v->n_time_wait);
	if (v->n_closing > v->n_time_wait)
		finding_evidence(r, x, "in other closing states", "the table", "%u",
				 v->n_closing - v->n_time_wait);
	finding_evidence(r, x, "established", "the table", "%u", v->n_established);
	if (v->residence_s > 0)
		finding_evidence(r, x, "mean stay in the table", "Little's law", "%s",
				 judge_seconds(r, v->residence_s));
	else if (v->steady_n > 1.2 * v->n_time_wait && ns->is_max_known && ns->max > 0)
		finding_evidence(
			r, x, "if it goes on like this", "rate x timeout", "%.0f in TIME_WAIT, %s",
			v->steady_n,
			v->steady_n > 2 * (double)ns->max
				? report_text(r, "%.0f times max", v->steady_n / (double)ns->max)
				: report_text(r, "%s of max",
					      judge_percent(r, v->steady_n / (double)ns->max)));
	if (v->n_server * 2 > v->n)
		finding_evidence(r, x, "server", "the table", "%s (at least %u of %u)",
				 judge_addr(r, &v->server, v->server_family), v->n_server, v->n);
	if (v->n_client * 2 > v->n)
		finding_evidence(r, x, "client", "the table", "%s (at least %u of %u)",
				 judge_addr(r, &v->client, v->client_family), v->n_client, v->n);
	if (f->has_sockets && ns == &f->netns[0] && f->sockets.tcp[v->port].n_remote > 0)
		finding_evidence(r, x, "sockets open to it here", "/proc/net/tcp", "%u",
				 f->sockets.tcp[v->port].n_remote);
	if (!x)
		return;
	x->share = (double)v->n_closing / (double)s->n;
	x->cause = "A connection is made for each operation and closed at once. Its entry stays in "
		   "TIME_WAIT long after both programs forgot it, so a server with few open "
		   "connections has a full table.";
	x->remedy =
		report_text(r,
			    "%s\n"
			    "As a palliative shorten TIME_WAIT, for this port alone with a ct "
			    "timeout policy (nft "
			    "ct timeout, nfct(8)), or for all:\n"
			    "    sysctl -w net.netfilter.nf_conntrack_tcp_timeout_time_wait=30\n"
			    "Raising max postpones it only.",
			    cure(v));
	x->remedy = judge_inside(r, ns, x->remedy);
	x->danger = "A very short TIME_WAIT (guides say 1 s) lets late segments of an old "
		    "connection hit a new one on the same ports; the sysctl shortens it for every "
		    "service.";
}

void check_churn(const struct facts *f, const struct check *c, struct report *r)
{
	bool is_said = false;

	for (size_t i = 0; i < f->n_netns; i++) {
		const struct facts_netns *ns = &f->netns[i];
		const struct summary_service *v = &ns->summary.churn;

		if (!ns->has_summary || !judge_is_many(ns, v->n_closing) ||
		    (double)v->n_closing < 0.25 * (double)ns->summary.n)
			continue;
		add(f, c, r, ns, v);
		is_said = true;
	}
	if (!is_said && !judge_no_table(f, r, c))
		judge_ok(r, c,
			 "No service leaves many closing connections behind (%llu of %llu "
			 "entries are closing).",
			 (unsigned long long)f->netns[0].summary.n_tcp_closing,
			 (unsigned long long)f->netns[0].summary.n);
}
