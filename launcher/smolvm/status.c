/* See status.h. */
#include "status.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

static const char *const words[] = {
    [SMOLVM_STATE_CREATED] = "created", [SMOLVM_STATE_RUNNING] = "running",         [SMOLVM_STATE_STOPPED] = "stopped",
    [SMOLVM_STATE_FAILED] = "failed",   [SMOLVM_STATE_UNREACHABLE] = "unreachable", [SMOLVM_STATE_FROZEN] = "frozen",
};

/* A process id, or 0 for null and for no such field. It will be looked up in /proc: 0 and 1 are nobody's VMM. */
static bool read_pid(const cJSON *object, pid_t *pid)
{
    const cJSON *field = smolvm_json_field(object, "pid");
    *pid = 0;
    if (field == NULL)
        return cJSON_GetObjectItemCaseSensitive(object, "pid") == NULL;
    if (cJSON_IsNull(field))
        return true;
    if (!cJSON_IsNumber(field) || !(field->valuedouble >= 2 && field->valuedouble <= INT_MAX))
        return false;
    *pid = (pid_t)field->valuedouble;
    return *pid == field->valuedouble;
}

bool smolvm_status_parse(const char *text, size_t size, const char *name, struct smolvm_status *status,
                         struct error *error)
{
    cleanup_json cJSON *object = smolvm_json_parse(text, size);
    *status = (struct smolvm_status){ 0 };
    const cJSON *named = smolvm_json_field(object, "name"), *state = smolvm_json_field(object, "state");
    if (!cJSON_IsString(named) || strcmp(named->valuestring, name) != 0 ||
        !smolvm_json_show(state, status->word, sizeof status->word) || !read_pid(object, &status->pid)) {
        *status = (struct smolvm_status){ 0 };
        return error_set(error, ERROR_HOST, "what smolvm says about machine %.64s is not as it writes it", name);
    }
    for (size_t i = 1; i < sizeof words / sizeof *words; i++)
        if (strcmp(state->valuestring, words[i]) == 0)
            status->state = (enum smolvm_state_word)i;
    return true;
}
