/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Locals that own: `auto_free(table) struct table *t = NULL;` calls table_free(t) at the end of
 * the scope, `auto_fini(ct_buf) struct ct_buf b = { 0 };` calls ct_buf_fini(&b).
 */
#ifndef CT_BASE_CLEAN_H
#define CT_BASE_CLEAN_H

#include <stdlib.h>
#include <unistd.h>

/* Makes auto_free(type) usable; stands once behind the declaration of type_free(). */
#define DEFINE_AUTO_FREE(type)                                                                     \
	static inline void type##_auto_free(struct type **p)                                       \
	{                                                                                          \
		type##_free(*p);                                                                   \
	}                                                                                          \
	struct type
#define auto_free(type) __attribute__((cleanup(type##_auto_free)))
#define auto_fini(type) __attribute__((cleanup(type##_fini)))

static inline void ct_auto_memory(void *p)
{
	free(*(void **)p);
}
static inline void ct_auto_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define auto_memory __attribute__((cleanup(ct_auto_memory)))
#define auto_fd	    __attribute__((cleanup(ct_auto_fd)))

#endif
