/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the files that gather facts share with each other.
 */
#ifndef OPS_FACTS_INNER_H
#define OPS_FACTS_INNER_H

#include "ops/facts/facts.h"

/* Whether @name is among the modules loaded. */
bool facts_is_loaded(struct host *h, const char *name);

/* Whether @name is a module of this kernel that is not loaded: asking for what it does would load
 * it, and there is nothing to be told. False when that is not known. */
bool facts_is_unloaded(struct host *h, const struct facts *f, const char *name);

/* Level, counters and expectations of the namespace @h stands for, into @ns. */
void facts_read_level(struct host *h, struct facts_netns *ns);

/* All knobs of that namespace; with @want_boot what boot makes of them. -ENOMEM. */
int facts_read_settings(struct host *h, bool want_boot, struct facts_netns *ns, struct ct_err *err);

/* Its table, summed up. Errors go into ns->table_why; -ENOMEM only. */
int facts_read_table(struct host *h, struct facts_netns *ns);

/* Logs of the machine; the files under /var/log only with @want_files. */
void facts_read_logs(struct host *h, bool want_files, struct facts *f);

/* Rules, sockets and listeners of the namespace @h stands for. -ENOMEM. */
void facts_read_rules(struct host *h, unsigned timeout_ms, struct facts *f);
int facts_read_sockets(struct host *h, struct facts *f);

/* Programs that run, counters of interfaces, other tables. */
void facts_read_others(struct host *h, struct facts *f);

#endif
