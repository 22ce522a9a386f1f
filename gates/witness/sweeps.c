/* See sweeps.h. There are at most SWEEPS_MAX, so they are searched in order. */
#include "sweeps.h"

bool sweeps_insert(struct sweeps *sweeps, const struct watch *watch, uint16_t index)
{
    if (watch->sweep >= SWEEPS_MAX)
        return false;
    struct sweeps_entry *entry = &sweeps->entries[watch->sweep];
    if (entry->family == 0)
        *entry = (struct sweeps_entry){ .family = watch->tuple.family,
                                        .transport = watch->tuple.transport,
                                        .watch = index,
                                        .sources = { watch->sweep_source[0], watch->sweep_source[1] } };
    return true;
}

const struct sweeps_entry *sweeps_find(const struct sweeps *sweeps, uint8_t transport, const struct endpoint *source)
{
    if (source->port == 0)
        return NULL;
    for (size_t i = 0; i < SWEEPS_MAX; i++) {
        const struct sweeps_entry *entry = &sweeps->entries[i];
        if ((source->port == entry->sources[0] || source->port == entry->sources[1]) &&
            entry->family == source->family && entry->transport == transport)
            return entry;
    }
    return NULL;
}

void sweeps_note(const struct sweeps *sweeps, const struct watch *watch, uint16_t port)
{
    if (!watch->is_sweep || sweeps->ports == NULL || port == 0)
        return;
    struct swept_ports *swept = &sweeps->ports[watch->sweep];
    if (swept->ports[port / 8] >> (port % 8) & 1)
        return;
    swept->ports[port / 8] |= (uint8_t)(1u << (port % 8));
    if (swept->count++ == 0)
        swept->first = port;
}
