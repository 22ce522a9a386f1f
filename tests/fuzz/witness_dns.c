/* DNS queries from a bottle: whatever they are, the answer stays within its bounds and can be read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../gates/witness/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dns_names names; /* kept: stability over a run is part of what is tested */
    struct dns_query query, again;
    uint8_t letters[DNS_NAME_MAX];
    if (!dns_parse(data, size, &query))
        return 0;
    require(query.count >= 1 && query.count <= DNS_QUESTIONS_MAX);
    for (size_t i = 0; i < query.count; i++) {
        require(query.questions[i].name_size <= DNS_NAME_MAX);
        require(dns_join(&query.questions[i], letters) < query.questions[i].name_size);
    }
    uint8_t *answer = malloc(DNS_UDP_MAX); /* on the heap, so that a sanitizer guards both ends */
    size_t answer_size = dns_answer(&names, &query, "BGW1 00112233445566778899aabbccddeeff", answer, DNS_UDP_MAX);
    require(answer_size >= 12 && answer_size <= DNS_UDP_MAX);
    require((answer[2] & 0x80) != 0);
    answer[2] &= 0x7f; /* made a query again, it must be one, with the same first question */
    require(dns_parse(answer, answer_size, &again));
    require(again.id == query.id && again.questions[0].name_size == query.questions[0].name_size &&
            memcmp(again.questions[0].name, query.questions[0].name, query.questions[0].name_size) == 0);
    free(answer);
    return 0;
}
