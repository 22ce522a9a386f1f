/* See version.h. The line comes from a program that somebody put on PATH: it is bounded, and nothing in it is taken
 * on trust. */
#include "version.h"

#include <stdio.h>
#include <string.h>

#define NUMBER_DIGITS 5
#define SHOWN_BYTES   40

/* One row a feature: the first version that has it. */
static const struct {
    unsigned major, minor, patch;
    const char *since, *words;
} features[SMOLVM_FEATURES] = {
    [SMOLVM_SUPPORTED] = { 0, 8, 0, "0.8.0", "is supported" },
    [SMOLVM_SIGNAL_STATUS] = { 0, 8, 1, "0.8.1", "ends exec with 128+n for signal n" },
    [SMOLVM_DELETE_STOPS] = { 0, 8, 1, "0.8.1", "stops a machine that it deletes" },
    [SMOLVM_ROOTFS_TAR] = { 1, 0, 0, "1.0.0", "takes its agent rootfs as a tar" },
    [SMOLVM_NAME_OPTION] = { 1, 0, 2, "1.0.2", "takes --name everywhere" },
    [SMOLVM_POLICY_VIRTIO] = { 1, 1, 3, "1.1.3", "puts a policy on virtio-net" },
    [SMOLVM_DNS_OPTION] = { 1, 2, 5, "1.2.5", "takes --dns" },
    [SMOLVM_UID_DROP] = { 1, 2, 5, "1.2.5", "drops the uid of root's VMM" },
    [SMOLVM_FLOOR_SETTING] = { 1, 3, 9, "1.3.9", "reads SMOLVM_EGRESS_FLOOR" },
    [SMOLVM_FROM_KEEPS_POLICY] = { 1, 8, 0, "1.8.0", "keeps the policy with --from" },
    [SMOLVM_EGRESS_EVENTS] = { 1, 8, 1, "1.8.1", "has egress-events" },
    [SMOLVM_ROOTFS_READ_ONLY] = { 1, 27, 3, "1.27.3", "keeps the guest from writing the agent rootfs" },
};

/* A number of semver: digits without a leading zero. Moves *next behind it. */
static bool take_number(const char **next, const char *end, unsigned *number)
{
    const char *first = *next;
    for (*number = 0; *next < end && **next >= '0' && **next <= '9'; (*next)++) {
        if (*next - first == NUMBER_DIGITS)
            return false;
        *number = *number * 10 + (unsigned)(**next - '0');
    }
    return *next > first && (*first != '0' || *next - first == 1);
}

static bool take_byte(const char **next, const char *end, char byte)
{
    if (*next == end || **next != byte)
        return false;
    (*next)++;
    return true;
}

/* The letters, digits, '-' and '.' of a suffix; no part between dots may be empty. */
static bool take_suffix(const char **next, const char *end)
{
    bool empty = true;
    for (; *next < end; (*next)++) {
        char byte = **next;
        if (byte == '.' && empty)
            return false;
        if (byte != '.' && byte != '-' && !(byte >= '0' && byte <= '9') && !(byte >= 'a' && byte <= 'z') &&
            !(byte >= 'A' && byte <= 'Z'))
            break;
        empty = byte == '.';
    }
    return !empty;
}

/* Everything behind "smolvm " up to the end of the output. */
static bool take_version(const char *next, const char *end, struct smolvm_version *version)
{
    const char *first = next;
    *version = (struct smolvm_version){ 0 };
    if (!take_number(&next, end, &version->major) || !take_byte(&next, end, '.') ||
        !take_number(&next, end, &version->minor) || !take_byte(&next, end, '.') ||
        !take_number(&next, end, &version->patch))
        return false;
    version->before = take_byte(&next, end, '-');
    if ((version->before && !take_suffix(&next, end)) || (take_byte(&next, end, '+') && !take_suffix(&next, end)))
        return false;
    size_t length = (size_t)(next - first);
    if (length >= sizeof version->text)
        return false;
    memcpy(version->text, first, length);
    take_byte(&next, end, '\n');
    return next == end;
}

bool smolvm_version_parse(const char *output, size_t size, struct smolvm_version *version, struct error *error)
{
    static const char name[] = "smolvm ";
    char shown[SHOWN_BYTES + 1];
    size_t prefix = sizeof name - 1;
    if (size >= prefix && memcmp(output, name, prefix) == 0 && take_version(output + prefix, output + size, version))
        return true;
    *version = (struct smolvm_version){ 0 };
    size_t length = size < SHOWN_BYTES ? size : SHOWN_BYTES;
    for (size_t i = 0; i < length; i++)
        shown[i] = (char)(output[i] >= ' ' && output[i] <= '~' ? output[i] : '?');
    shown[length] = '\0';
    return error_set(error, ERROR_HOST,
                     "smolvm --version said \"%s\"%s and not \"smolvm X.Y.Z\": name another smolvm with --smolvm=PATH",
                     shown, size > SHOWN_BYTES ? "..." : "");
}

bool smolvm_can(const struct smolvm_version *version, enum smolvm_feature feature)
{
    if (version->major != features[feature].major)
        return version->major > features[feature].major;
    if (version->minor != features[feature].minor)
        return version->minor > features[feature].minor;
    if (version->patch != features[feature].patch)
        return version->patch > features[feature].patch;
    return !version->before;
}

bool smolvm_version_lacks(const struct smolvm_version *version, enum smolvm_feature feature, struct error *error)
{
    return error_set(error, ERROR_HOST,
                     "smolvm %s is too old: the first version that %s is %s: install that or a newer one, or name "
                     "another with --smolvm=PATH",
                     version->text, features[feature].words, features[feature].since);
}

const char *smolvm_feature_since(enum smolvm_feature feature)
{
    return features[feature].since;
}
