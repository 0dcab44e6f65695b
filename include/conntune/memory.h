/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where memory comes from, as an argument.
 */
#ifndef CONNTUNE_MEMORY_H
#define CONNTUNE_MEMORY_H

#include <stddef.h>

/* Both functions null: the C library, in huge pages when they are to be had. What is given need
 * not be zeroed; @size of free is that of alloc. */
struct ct_memory {
	void *(*alloc)(void *user, size_t size, size_t align); /* null when there is none */
	void (*free)(void *user, void *p, size_t size);
	void *user;
};

#endif
