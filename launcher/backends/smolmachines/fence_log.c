/* What the engine lists as refused (`egress-events`, 1.8.1 and later): shown in the report beside the witnesses' word, and never asked for
 * a verdict. Versions without it say nothing. */
#include <stdio.h>

#include "../../smolvm/events.h"
#include "../../support/process.h"
#include "machine.h"

void machine_fence_log(struct bottle *bottle, char text[FENCE_LOG])
{
    struct smolvm_result result = { 0 };
    struct smolvm_events events;
    struct smolvm_event first;
    text[0] = '\0';
    if (!smolvm_can(&bottle->version, SMOLVM_EGRESS_EVENTS))
        return;
    if (!machine_command(bottle, SMOLVM_EVENTS, &result, NULL))
        snprintf(text, FENCE_LOG, "egress-events: no answer");
    else if (!smolvm_events_parse(result.output, result.output_size, &first, 1, &events, NULL))
        snprintf(text, FENCE_LOG, "egress-events: unreadable");
    else if (events.kept == 0)
        snprintf(text, FENCE_LOG, "egress-events: %zu refused", events.total);
    else
        snprintf(text, FENCE_LOG, "egress-events: %zu refused, the first %s %s", events.total, first.operation,
                 first.destination);
    smolvm_result_free(&result);
}
