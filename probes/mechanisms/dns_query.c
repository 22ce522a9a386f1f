/* See dns_query.h. The counts in the header grow with each piece. */
#include "dns_query.h"

#include <string.h>

#define QUESTIONS_COUNT  5 /* where the low bytes of the header's counts are */
#define ADDITIONAL_COUNT 11
#define TYPE_OPT         41
#define ANSWER_SIZE      1232 /* what the asker can take by UDP; the usual value */

static size_t put_16(uint8_t *message, size_t used, unsigned value)
{
    message[used] = (uint8_t)(value >> 8);
    message[used + 1] = (uint8_t)value;
    return used + 2;
}

static size_t put_name(uint8_t *message, size_t used, const char *name)
{
    while (*name != '\0') {
        size_t label = strcspn(name, ".");
        message[used++] = (uint8_t)label;
        memcpy(message + used, name, label);
        used += label;
        name += label + (name[label] == '.');
    }
    message[used++] = 0;
    return used;
}

size_t dns_query_start(uint8_t *message, uint16_t id)
{
    static const uint8_t recursion_desired = 0x01;
    memset(message, 0, DNS_QUERY_HEADER);
    put_16(message, 0, id);
    message[2] = recursion_desired;
    return DNS_QUERY_HEADER;
}

size_t dns_query_ask(uint8_t *message, size_t used, const char *name, enum dns_query_type type)
{
    static const unsigned class_in = 1;
    message[QUESTIONS_COUNT]++;
    used = put_name(message, used, name);
    used = put_16(message, used, (unsigned)type);
    return put_16(message, used, class_in);
}

size_t dns_query_add_option(uint8_t *message, size_t used, uint16_t code, const uint8_t *data, uint16_t size)
{
    message[ADDITIONAL_COUNT]++;
    used = put_name(message, used, "");
    used = put_16(message, used, TYPE_OPT);
    used = put_16(message, used, ANSWER_SIZE);
    used = put_16(message, used, 0); /* extended code, version, flags */
    used = put_16(message, used, 0);
    used = put_16(message, used, 4u + size);
    used = put_16(message, used, code);
    used = put_16(message, used, size);
    memcpy(message + used, data, size);
    return used + size;
}
