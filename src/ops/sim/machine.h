/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The machine in the middle of a replay: its interfaces, addresses and routes, whether it forwards,
 * and by which interface a packet of a capture came to it.
 *
 *     sim_machine_init(&m);
 *     sim_machine_addr(&m, "wan0=192.0.2.1/24", &err);
 *     sim_machine_route(&m, "default", "wan0", 0, CT_ROUTE_UNICAST, &err);
 *     sim_machine_ready(&m);                     from here on m.router is used
 */
#ifndef OPS_SIM_MACHINE_H
#define OPS_SIM_MACHINE_H

#include <conntune/err.h>

#include "lib/base/arena.h"
#include <conntune/route.h>

enum { SIM_MAX_ROUTES = 1 << 20, SIM_MAX_ADDRS = 1 << 16, SIM_MAX_IFACES = 4096 };

struct sim_lines {
	struct ct_route_line *at; /* owned */
	unsigned n, room;
};

struct sim_machine {
	struct ct_router router;	/* borrows what follows */
	struct ct_router inside_router; /* finds what is in `inside` */
	struct ct_route_addr *addrs;	/* owned */
	unsigned n_addrs, room_addrs;
	struct sim_lines routes, inside;
	const char **ifaces; /* owned; names live in the arena */
	unsigned n_ifaces, room_ifaces;
	struct ct_arena names;
	const char *in_dev, *out_dev; /* of a gateway with two sides; null: routes tell */
	bool is_host;		      /* what comes from its addresses, it sends itself */
	bool has_forwarding;	      /* a file said whether it forwards */
};

void sim_machine_init(struct sim_machine *m);
void sim_machine_fini(struct sim_machine *m);

/* The name of an interface as the machine keeps it, for its life. Null: no memory, or it is none.
 */
const char *sim_machine_iface(struct sim_machine *m, const char *name, size_t len);

/* Adds "ADDR", "ADDR/LEN" or "DEV=ADDR/LEN" to the machine's own addresses; the rest of a prefix is
 * reached by that interface unless a route says otherwise. -EINVAL with a sentence. */
int sim_machine_addr(struct sim_machine *m, const char *text, struct ct_err *err);

/* Adds a route to "NET", "NET/LEN" or "default" ("default6" over IPv6). @iface may be null. */
struct sim_route {
	const char *dst, *iface, *source; /* source may be null */
	uint32_t metric;
	enum ct_route_kind kind;
};
int sim_machine_route(struct sim_machine *m, const struct sim_route *route, struct ct_err *err);

/* Says that hosts of "NET" or "NET/LEN" send from behind in_dev. */
int sim_machine_inside(struct sim_machine *m, const char *net, struct ct_err *err);

/* Sorts what was added. Again after more was added. */
void sim_machine_ready(struct sim_machine *m);

/* How a packet came, where @captured is the interface the capture names for it (or null): by that
 * one when the machine has it; from the side that its source is on; by the way back to its source.
 * True when the machine itself sent it; @in is then null. */
bool sim_machine_way(const struct sim_machine *m, const struct ct_packet *p, const char *captured,
		     const char **in);

/* True when the machine has an interface of that name. */
bool sim_machine_has_iface(const struct sim_machine *m, const char *name);

#endif
