/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Datagrams whose addresses are replaced: nothing outside them is touched, and the same bytes
 * become the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/bundle/anon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[ANON_KEY_BYTES] = "0123456789abcdef";
	uint8_t *one = malloc(size + 1), *two = malloc(size + 1);
	struct anon *a = NULL;

	if (!one || !two || anon_new(key, &a) < 0)
		abort();
	if (size) {
		memcpy(one, data, size);
		memcpy(two, data, size);
	}
	one[size] = two[size] = 0x5a;
	anon_datagram(a, one, size);
	anon_datagram(a, two, size);
	if (memcmp(one, two, size + 1) != 0 || one[size] != 0x5a)
		abort();
	anon_free(a);
	free(one);
	free(two);
	return 0;
}
