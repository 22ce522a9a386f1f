/*
 * See state.h. SQLite's own JSON functions read and change the rows: they keep numbers, strings and fields that nobody
 * here knows as they are written. A change is one transaction that begins with the write lock, so that of two writers
 * neither loses what the other wrote. Nothing is checkpointed on the way out: other bytes of the database stay where
 * they are.
 */
#include "state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROW_BYTES (4 << 20) /* a row is a few hundred bytes */
#define LIST_TEXT (SMOLVM_CIDRS * (SMOLVM_CIDR + 3) + 3)

/* The JSON of a row, for what stands after FROM vms. */
#define ROW_TEXT "CAST(data AS TEXT)"

bool smolvm_state_path(enum smolvm_platform platform, const char *home, const char *data_home, char path[PATH_MAX],
                       struct error *error)
{
    bool named = platform == SMOLVM_LINUX && data_home != NULL && *data_home == '/';
    if (!named && (home == NULL || *home != '/'))
        return error_set(error, ERROR_HOST, "HOME is not set: smolvm's state database can't be found");
    const char *between = named ? "" : platform == SMOLVM_MACOS ? "/Library/Application Support" : "/.local/share";
    int length = snprintf(path, PATH_MAX, "%s%s/smolvm/server/smolvm.db", named ? data_home : home, between);
    return (length > 0 && length < PATH_MAX) ||
           error_set(error, ERROR_HOST,
                     "the path of smolvm's state database is too long: shorten HOME or XDG_DATA_HOME");
}

struct session {
    sqlite3 *database;
    const struct smolvm_state *state;
    const char *machine;
};

static void end_session(struct session *session)
{
    sqlite3_close(session->database); /* rolls back what was not committed */
}

static void end_statement(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}

#define cleanup_session   __attribute__((cleanup(end_session)))
#define cleanup_statement __attribute__((cleanup(end_statement)))

static bool failed(const struct session *session, const char *what, struct error *error)
{
    int code = sqlite3_errcode(session->database) & 0xff;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return error_set(
            error, ERROR_HOST,
            "smolvm's state database %.200s was locked by another process for %u ms: end that (smolvm serve?) "
            "and try again",
            session->state->path, session->state->busy_milliseconds);
    return error_set(error, ERROR_HOST, "can't %s smolvm's state database %.200s: %.160s", what, session->state->path,
                     sqlite3_errmsg(session->database));
}

static bool open_session(struct session *session, bool write, struct error *error)
{
    if (access(session->state->path, F_OK) != 0)
        return error_set(error, ERROR_HOST,
                         "smolvm's state database %.200s is not there (%s): no machine was created with this HOME and "
                         "XDG_DATA_HOME",
                         session->state->path, strerror(errno));
    if (sqlite3_open_v2(session->state->path, &session->database, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        return failed(session, "open", error);
    sqlite3_db_config(session->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(session->database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_limit(session->database, SQLITE_LIMIT_LENGTH, ROW_BYTES);
    if (sqlite3_busy_timeout(session->database, (int)session->state->busy_milliseconds) != SQLITE_OK ||
        sqlite3_exec(session->database, write ? "BEGIN IMMEDIATE" : "PRAGMA query_only=ON; BEGIN", NULL, NULL, NULL) !=
            SQLITE_OK)
        return failed(session, write ? "lock" : "read", error);
    return true;
}

/* Prepares a statement whose ?1 is the machine and whose ?2, if it has one, is `text`. NULL on failure. */
static sqlite3_stmt *prepare(const struct session *session, const char *sql, const char *text)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(session->database, sql, -1, &statement, NULL) != SQLITE_OK)
        return NULL;
    sqlite3_bind_text(statement, 1, session->machine, -1, SQLITE_STATIC);
    if (sqlite3_bind_parameter_count(statement) > 1)
        sqlite3_bind_text(statement, 2, text, -1, SQLITE_STATIC);
    return statement;
}

/* The first column of the first row as a number: 0 for NULL. */
static bool ask(const struct session *session, const char *sql, const char *text, bool *found, int *answer,
                struct error *error)
{
    cleanup_statement sqlite3_stmt *statement = prepare(session, sql, text);
    int step = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        return failed(session, "read", error);
    *found = step == SQLITE_ROW;
    *answer = *found ? sqlite3_column_int(statement, 0) : 0;
    return true;
}

/* The row is there and holds one JSON object, with no zero byte in it (SQLite cuts strings there), and each field of
 * the policy at most once, spelled without escapes (SQLite's paths would not find it, and smolvm would). */
static bool check_row(const struct session *session, struct error *error)
{
    static const char object[] =
        "SELECT CASE WHEN instr(CAST(data AS BLOB), x'00') > 0 OR instr(" ROW_TEXT ", '\\u0000') > 0 THEN 0 "
        "WHEN json_valid(" ROW_TEXT ") THEN json_type(" ROW_TEXT ") = 'object' ELSE 0 END FROM vms WHERE name = ?1";
    static const char doubled[] =
        "SELECT count(*) FROM vms, json_each(" ROW_TEXT ") AS field WHERE name = ?1 AND "
        "field.key IN ('allowed_cidrs', 'dns_filter_hosts', 'network_backend', 'dns', 'network')"
        " AND (json_type(" ROW_TEXT ", '$.' || field.key) IS NULL OR (SELECT count(*) FROM "
        "json_each(" ROW_TEXT ") AS other WHERE other.key = field.key) > 1)";
    bool found = false;
    int answer = 0;
    if (!ask(session, object, NULL, &found, &answer, error))
        return false;
    if (!found)
        return error_set(error, ERROR_HOST,
                         "smolvm's state database %.200s has no machine %.64s: its create did nothing",
                         session->state->path, session->machine);
    if (answer != 1)
        return error_set(error, ERROR_HOST, "the row of machine %.64s in %.200s is no JSON object: delete the machine",
                         session->machine, session->state->path);
    if (!ask(session, doubled, NULL, &found, &answer, error))
        return false;
    return answer == 0 ||
           error_set(error, ERROR_HOST,
                     "the row of machine %.64s in %.200s has a field of its policy twice: delete the machine",
                     session->machine, session->state->path);
}

/* One change of a row: whether it is made already, and what makes it. ?2 is the same text in both. */
struct change {
    const char *made, *make;
};

static const struct change set_cidrs = {
    "SELECT typeof(data) = 'blob' AND json_type(" ROW_TEXT ", '$.allowed_cidrs') IS 'array' AND json_extract(" ROW_TEXT
    ", '$.allowed_cidrs') IS json(?2) FROM vms WHERE name = ?1",
    "UPDATE vms SET data = CAST(json_set(" ROW_TEXT ", '$.allowed_cidrs', json(?2)) AS BLOB) WHERE name = ?1",
};

static const struct change drops[] = {
    [SMOLVM_DROP_CIDRS] = { "SELECT typeof(data) = 'blob' AND json_type(" ROW_TEXT
                            ", '$.allowed_cidrs') IS 'null' FROM vms "
                            "WHERE name = ?1",
                            "UPDATE vms SET data = CAST(json_set(" ROW_TEXT ", '$.allowed_cidrs', NULL) AS BLOB) "
                            "WHERE name = ?1" },
    [SMOLVM_DROP_DNS_FILTER] = { "SELECT typeof(data) = 'blob' AND json_type(" ROW_TEXT
                                 ", '$.dns_filter_hosts') IS NULL AND json_type(" ROW_TEXT ", '$.dns') IS NULL "
                                 "FROM vms WHERE name = ?1",
                                 "UPDATE vms SET data = CAST(json_remove(" ROW_TEXT
                                 ", '$.dns_filter_hosts', '$.dns') AS BLOB) WHERE name = ?1" },
};

static bool run_change(const struct session *session, const struct change *change, const char *text,
                       struct error *error)
{
    cleanup_statement sqlite3_stmt *statement = prepare(session, change->make, text);
    if (statement == NULL || sqlite3_step(statement) != SQLITE_DONE)
        return failed(session, "write", error);
    return true;
}

static bool make_change(const struct smolvm_state *state, const char *machine, const struct change *change,
                        const char *text, bool *written, struct error *error)
{
    cleanup_session struct session session = { .state = state, .machine = machine };
    bool found = false;
    int made = 0;
    if (written != NULL)
        *written = false;
    if (!open_session(&session, true, error) || !check_row(&session, error) ||
        !ask(&session, change->made, text, &found, &made, error))
        return false;
    if (made == 1)
        return true;
    if (!run_change(&session, change, text, error))
        return false;
    if (sqlite3_exec(session.database, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return failed(&session, "write", error);
    if (written != NULL)
        *written = true;
    if (!ask(&session, change->made, text, &found, &made, error))
        return false;
    return (found && made == 1) ||
           error_set(error, ERROR_HOST,
                     "the policy of machine %.64s was written to %.200s and is not what is read back: don't start it",
                     machine, state->path);
}

/* An address literal and a prefix that fits it. */
static bool is_cidr(const char *text)
{
    unsigned char address[16];
    char host[SMOLVM_CIDR];
    const char *slash = strchr(text, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - text),
           digits = slash == NULL ? 0 : strspn(slash + 1, "0123456789");
    if (length == 0 || strlen(text) >= sizeof host || digits == 0 || digits > 3 || slash[1 + digits] != '\0' ||
        (slash[1] == '0' && digits > 1))
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    int prefix = 0;
    for (size_t i = 1; i <= digits; i++)
        prefix = prefix * 10 + (slash[i] - '0');
    return (inet_pton(AF_INET, host, address) == 1 && prefix <= 32) ||
           (inet_pton(AF_INET6, host, address) == 1 && prefix <= 128);
}

bool smolvm_state_force_allowlist(const struct smolvm_state *state, const char *machine, const char *const cidrs[],
                                  size_t count, bool *written, struct error *error)
{
    char list[LIST_TEXT] = "[";
    size_t used = 1;
    if (count == 0 || count > SMOLVM_CIDRS)
        return error_set(error, ERROR_USAGE, "an allowlist takes 1 to %d addresses, not %zu", SMOLVM_CIDRS, count);
    for (size_t i = 0; i < count; i++) {
        if (!is_cidr(cidrs[i]))
            return error_set(error, ERROR_USAGE, "\"%.64s\" is no address with a prefix (10.88.0.1/32)", cidrs[i]);
        used += (size_t)snprintf(list + used, sizeof list - used, "%s\"%s\"", i == 0 ? "" : ",", cidrs[i]);
    }
    list[used] = ']';
    list[used + 1] = '\0';
    return make_change(state, machine, &set_cidrs, list, written, error);
}

bool smolvm_state_drop(const struct smolvm_state *state, const char *machine, enum smolvm_drop what,
                       struct error *error)
{
    return make_change(state, machine, &drops[what], NULL, NULL, error);
}

static bool strange(const struct session *session, const char *field, struct error *error)
{
    return error_set(error, ERROR_HOST, "the field %s in the row of machine %.64s in %.200s is not as smolvm writes it",
                     field, session->machine, session->state->path);
}

/* Copies a column that must be a string without a 0 in it. */
static bool copy_text(sqlite3_stmt *statement, int column, char *text, size_t capacity)
{
    const char *value = (const char *)sqlite3_column_text(statement, column);
    int size = sqlite3_column_bytes(statement, column);
    if (value == NULL || size < 0 || (size_t)size >= capacity || strlen(value) != (size_t)size)
        return false;
    memcpy(text, value, (size_t)size + 1);
    return true;
}

/* A list of strings, null, or nothing. `words` holds SMOLVM_CIDRS of `width` bytes. */
static bool read_list(const struct session *session, const char *field, bool *present, char *words, size_t width,
                      size_t *count, struct error *error)
{
    static const char type[] = "SELECT json_type(" ROW_TEXT ", '$.' || ?2) FROM vms WHERE name = ?1";
    static const char items[] = "SELECT item.type, item.value FROM vms, json_each(" ROW_TEXT ", '$.' || ?2) AS item "
                                "WHERE name = ?1 ORDER BY item.key";
    cleanup_statement sqlite3_stmt *is = prepare(session, type, field);
    char kind[16] = "null";
    if (is == NULL || sqlite3_step(is) != SQLITE_ROW)
        return failed(session, "read", error);
    *count = 0;
    *present = false;
    if (sqlite3_column_type(is, 0) != SQLITE_NULL && !copy_text(is, 0, kind, sizeof kind))
        return strange(session, field, error);
    if (strcmp(kind, "null") == 0)
        return true;
    if (strcmp(kind, "array") != 0)
        return strange(session, field, error);
    *present = true;
    cleanup_statement sqlite3_stmt *each = prepare(session, items, field);
    int step = SQLITE_ERROR;
    while (each != NULL && (step = sqlite3_step(each)) == SQLITE_ROW) {
        if (*count == SMOLVM_CIDRS || !copy_text(each, 0, kind, sizeof kind) || strcmp(kind, "text") != 0 ||
            !copy_text(each, 1, words + *count * width, width))
            return strange(session, field, error);
        (*count)++;
    }
    return step == SQLITE_DONE || failed(session, "read", error);
}

/* A string, null, or nothing. */
static bool read_word(const struct session *session, const char *field, char *text, size_t capacity,
                      struct error *error)
{
    static const char sql[] = "SELECT json_type(" ROW_TEXT ", '$.' || ?2), json_extract(" ROW_TEXT ", '$.' || ?2) "
                              "FROM vms WHERE name = ?1";
    cleanup_statement sqlite3_stmt *statement = prepare(session, sql, field);
    char kind[16];
    *text = '\0';
    if (statement == NULL || sqlite3_step(statement) != SQLITE_ROW)
        return failed(session, "read", error);
    if (sqlite3_column_type(statement, 0) == SQLITE_NULL)
        return true;
    if (!copy_text(statement, 0, kind, sizeof kind))
        return strange(session, field, error);
    return strcmp(kind, "null") == 0 || (strcmp(kind, "text") == 0 && copy_text(statement, 1, text, capacity)) ||
           strange(session, field, error);
}

bool smolvm_state_read(const struct smolvm_state *state, const char *machine, struct smolvm_policy_row *row,
                       struct error *error)
{
    static const char network[] =
        "SELECT CASE json_type(" ROW_TEXT ", '$.network') WHEN 'true' THEN 1 WHEN 'false' THEN 0 "
        "ELSE CASE WHEN json_type(" ROW_TEXT ", '$.network') IS NULL THEN 0 ELSE 2 END END FROM vms WHERE name = ?1";
    cleanup_session struct session session = { .state = state, .machine = machine };
    bool found = false;
    int answer = 0;
    *row = (struct smolvm_policy_row){ 0 };
    if (!open_session(&session, false, error) || !check_row(&session, error) ||
        !read_list(&session, "allowed_cidrs", &row->limited, row->cidrs[0], SMOLVM_CIDR, &row->cidr_count, error) ||
        !read_list(&session, "dns_filter_hosts", &row->filtered, row->hosts[0], SMOLVM_WORD, &row->host_count, error) ||
        !read_word(&session, "network_backend", row->network_backend, sizeof row->network_backend, error) ||
        !read_word(&session, "dns", row->dns, sizeof row->dns, error) ||
        !ask(&session, network, NULL, &found, &answer, error))
        return false;
    row->network = answer == 1;
    return answer <= 1 || strange(&session, "network", error);
}

bool smolvm_state_has(const struct smolvm_state *state, const char *machine, bool *has, struct error *error)
{
    cleanup_session struct session session = { .state = state, .machine = machine };
    int answer = 0;
    *has = false;
    if (access(state->path, F_OK) != 0 && errno == ENOENT)
        return true;
    return open_session(&session, false, error) &&
           ask(&session, "SELECT 1 FROM vms WHERE name = ?1", NULL, has, &answer, error);
}
