/* smolvm's state database, with real SQLite files: what is written, what is left alone, and whoever else is at it. */
#include "launcher_smolvm_fake.h"

#include <sqlite3.h>
#include <sys/wait.h>

#include "../../launcher/smolvm/state.h"

static sqlite3 *database;
static struct smolvm_state state;
static char database_path[PATH_MAX];

static const char *const door[] = { "10.88.0.1/32" };

/* A row as 1.32.2 writes it, but for what stands in %s. */
#define ROW(middle)                                                                                                    \
    "{\"name\":\"b1\",\"created_at\":1795398600,\"state\":\"created\",\"pid\":null,\"cpus\":1,\"mem\":512,\"mounts\":" \
    "[],"                                                                                                              \
    "\"network\":true," middle                                                                                         \
    "\"image\":null,\"restart\":{\"policy\":\"never\",\"max_retries\":0},\"ssh_agent\":false}"

/* What a newer engine may write and nobody here knows; no number of it fits a double or a 64-bit integer. */
#define UNKNOWN                                                                                                        \
    "\"future\":[18446744073709551615,123456789012345678901234567890,1e400,-0.0,1.10,\"\\u00e4\\/\\\"\",{\"\":null}],"

static void run_sql(const char *sql)
{
    cr_assert_eq(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(database));
}

static sqlite3 *open_again(void)
{
    sqlite3 *other;
    cr_assert_eq(sqlite3_open(database_path, &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 60000);
    return other;
}

static void make(void)
{
    scratch_make();
    snprintf(database_path, sizeof database_path, "%s", in_scratch("smolvm.db"));
    database = open_again();
    state = (struct smolvm_state){ .path = database_path, .busy_milliseconds = SMOLVM_BUSY_MILLISECONDS };
    run_sql("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
            "CREATE TABLE vms(name TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL);"
            "CREATE TABLE config(key TEXT PRIMARY KEY, value TEXT)");
}

static void unmake(void)
{
    sqlite3_close(database);
    scratch_remove();
}

TestSuite(launcher_smolvm_state, .init = make, .fini = unmake);

static void put_bytes(const char *name, const void *bytes, size_t size, bool blob)
{
    sqlite3_stmt *statement;
    cr_assert_eq(sqlite3_prepare_v2(database, "INSERT OR REPLACE INTO vms VALUES(?, ?)", -1, &statement, NULL),
                 SQLITE_OK);
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_TRANSIENT);
    if (blob)
        sqlite3_bind_blob(statement, 2, bytes, (int)size, SQLITE_TRANSIENT);
    else
        sqlite3_bind_text(statement, 2, bytes, (int)size, SQLITE_TRANSIENT);
    cr_assert_eq(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
}

static void put_row(const char *text)
{
    put_bytes("b1", text, strlen(text), true);
}

/* The row as it is stored, seen by `from`; its storage class in *type. */
static const char *stored_in(sqlite3 *from, int *type)
{
    static char text[8192];
    sqlite3_stmt *statement;
    cr_assert_eq(sqlite3_prepare_v2(from, "SELECT data FROM vms WHERE name = 'b1'", -1, &statement, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
    *type = sqlite3_column_type(statement, 0);
    int size = sqlite3_column_bytes(statement, 0);
    cr_assert_lt((size_t)size, sizeof text);
    if (size > 0)
        memcpy(text, sqlite3_column_blob(statement, 0), (size_t)size);
    text[size] = '\0';
    sqlite3_finalize(statement);
    return text;
}

static void expect_blob(const char *text)
{
    int type;
    const char *stored = stored_in(database, &type);
    cr_expect_str_eq(stored, text);
    cr_expect_eq(type, SQLITE_BLOB, "smolvm can't read a TEXT value");
}

static bool force(bool *written, struct error *error)
{
    return smolvm_state_force_allowlist(&state, "b1", door, 1, written, error);
}

/* All bytes of the database and its log, as one number that changes with any of them. */
static unsigned long long files(void)
{
    unsigned long long sum = 14695981039346656037ull;
    static const char *const names[] = { "smolvm.db", "smolvm.db-wal" };
    for (size_t i = 0; i < 2; i++) {
        FILE *file = fopen(in_scratch(names[i]), "r");
        cr_assert_not_null(file);
        for (int byte; (byte = fgetc(file)) != EOF;)
            sum = (sum ^ (unsigned)byte) * 1099511628211ull;
        fclose(file);
    }
    return sum;
}

/* Closes the test's own connection with the row still in the log: who is the last one there would move it on the way
 * out. */
static void leave_log(void)
{
    sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    cr_assert_eq(sqlite3_close(database), SQLITE_OK);
    database = NULL;
}

Test(launcher_smolvm_state, the_database_is_where_smolvm_looks)
{
    static const struct {
        enum smolvm_platform platform;
        const char *home, *data_home, *path;
    } rows[] = {
        { SMOLVM_LINUX, "/home/u", NULL, "/home/u/.local/share/smolvm/server/smolvm.db" },
        { SMOLVM_LINUX, "/home/u", "", "/home/u/.local/share/smolvm/server/smolvm.db" },
        { SMOLVM_LINUX, "/home/u", "data", "/home/u/.local/share/smolvm/server/smolvm.db" },
        { SMOLVM_LINUX, "/home/u", "/data", "/data/smolvm/server/smolvm.db" },
        { SMOLVM_LINUX, NULL, "/data", "/data/smolvm/server/smolvm.db" },
        { SMOLVM_MACOS, "/Users/u", NULL, "/Users/u/Library/Application Support/smolvm/server/smolvm.db" },
        { SMOLVM_MACOS, "/Users/u", "/data", "/Users/u/Library/Application Support/smolvm/server/smolvm.db" },
        { SMOLVM_LINUX, NULL, NULL, NULL },
        { SMOLVM_LINUX, "home", "data", NULL },
        { SMOLVM_MACOS, NULL, "/data", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[PATH_MAX] = "";
        struct error error = { 0 };
        bool found = smolvm_state_path(rows[i].platform, rows[i].home, rows[i].data_home, path, &error);
        cr_expect_eq(found, rows[i].path != NULL, "row %zu", i);
        cr_expect(found ? strcmp(path, rows[i].path) == 0 : error.code == ERROR_HOST, "row %zu: %s", i, path);
    }
    char deep[PATH_MAX];
    memset(deep, '/', sizeof deep);
    deep[PATH_MAX - 10] = '\0';
    char path[PATH_MAX];
    cr_expect_not(smolvm_state_path(SMOLVM_LINUX, deep, NULL, path, NULL));
}

Test(launcher_smolvm_state, without_a_database_or_a_row_nothing_is_forced_and_nothing_is_made)
{
    struct error error = { 0 };
    bool written = true;
    cr_expect_not(force(&written, &error));
    cr_expect(error.code == ERROR_HOST && strstr(error.text, "has no machine b1") != NULL, "%s", error.text);
    cr_expect_not(written);
    error = (struct error){ 0 };
    char absent[PATH_MAX];
    snprintf(absent, sizeof absent, "%s", in_scratch("absent.db"));
    struct smolvm_state nowhere = { absent, 10 };
    cr_expect_not(smolvm_state_force_allowlist(&nowhere, "b1", door, 1, NULL, &error));
    cr_expect(error.code == ERROR_HOST && strstr(error.text, "is not there") != NULL, "%s", error.text);
    cr_expect_neq(access(absent, F_OK), 0, "an empty database was made");
    bool has = true;
    cr_expect(smolvm_state_has(&nowhere, "b1", &has, &error) && !has);
    cr_expect(smolvm_state_has(&state, "b1", &has, &error) && !has);
    put_row("{}");
    cr_expect(smolvm_state_has(&state, "b1", &has, &error) && has);
    cr_expect(smolvm_state_has(&state, "B1", &has, &error) && !has);
}

Test(launcher_smolvm_state, a_row_that_has_it_already_is_not_written)
{
    static const char row[] = ROW("\"allowed_cidrs\": [ \"10.88.0.1/32\" ]," UNKNOWN);
    struct error error = { 0 };
    bool written = true;
    put_row(row);
    leave_log();
    unsigned long long before = files();
    cr_assert(force(&written, &error), "%s", error.text);
    cr_expect_not(written);
    cr_expect_eq(files(), before, "a byte of the database changed");
    database = open_again();
    expect_blob(row);
}

Test(launcher_smolvm_state, anything_else_is_made_equal_and_the_other_fields_stay_as_they_are)
{
    static const struct {
        const char *before, *after;
    } rows[] = {
        { ROW("\"allowed_cidrs\":null," UNKNOWN), ROW("\"allowed_cidrs\":[\"10.88.0.1/32\"]," UNKNOWN) },
        { ROW(UNKNOWN "\"allowed_cidrs\":[],"), ROW(UNKNOWN "\"allowed_cidrs\":[\"10.88.0.1/32\"],") },
        { ROW("\"allowed_cidrs\":[\"10.88.0.1/32\",\"0.0.0.0/0\"],"), ROW("\"allowed_cidrs\":[\"10.88.0.1/32\"],") },
        { ROW("\"allowed_cidrs\":[\"10.88.0.1/31\"],"), ROW("\"allowed_cidrs\":[\"10.88.0.1/32\"],") },
        /* A string that reads like the list. */
        { ROW("\"allowed_cidrs\":\"[\\\"10.88.0.1/32\\\"]\","), ROW("\"allowed_cidrs\":[\"10.88.0.1/32\"],") },
        { ROW("\"allowed_cidrs\":{\"0\":\"10.88.0.1/32\"},"), ROW("\"allowed_cidrs\":[\"10.88.0.1/32\"],") },
        /* A list of that name elsewhere is nobody's policy. */
        { "{\"x\":{\"allowed_cidrs\":[\"10.88.0.1/32\"]}}",
          "{\"x\":{\"allowed_cidrs\":[\"10.88.0.1/32\"]},\"allowed_cidrs\":[\"10.88.0.1/32\"]}" },
        { "{}", "{\"allowed_cidrs\":[\"10.88.0.1/32\"]}" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { 0 };
        bool written = false;
        put_row(rows[i].before);
        cr_expect(force(&written, &error), "row %zu: %s", i, error.text);
        cr_expect(written);
        expect_blob(rows[i].after);
        cr_expect(force(&written, &error) && !written, "row %zu is written twice", i);
    }
}

Test(launcher_smolvm_state, only_that_row_is_written_and_names_are_no_sql)
{
    static const char other[] = "{\"allowed_cidrs\":null}", odd[] = "x' OR '1'='1";
    struct error error = { 0 };
    put_row(other);
    put_bytes(odd, other, strlen(other), true);
    cr_assert(smolvm_state_force_allowlist(&state, odd, door, 1, NULL, &error), "%s", error.text);
    expect_blob(other);
}

Test(launcher_smolvm_state, several_addresses_of_both_families_keep_their_order)
{
    static const char *const both[] = { "10.88.0.1/32", "fd00::1/128", "10.0.0.0/8" };
    struct error error = { 0 };
    put_row("{\"allowed_cidrs\":[\"fd00::1/128\",\"10.88.0.1/32\",\"10.0.0.0/8\"]}");
    cr_assert(smolvm_state_force_allowlist(&state, "b1", both, 3, NULL, &error), "%s", error.text);
    expect_blob("{\"allowed_cidrs\":[\"10.88.0.1/32\",\"fd00::1/128\",\"10.0.0.0/8\"]}");
}

Test(launcher_smolvm_state, what_is_no_address_with_a_prefix_never_gets_in)
{
    static const char *const bad[] = { "",
                                       "10.88.0.1",
                                       "10.88.0.1/",
                                       "/32",
                                       "10.88.0.1/33",
                                       "10.88.0.1/032",
                                       "10.88.0.1/3x",
                                       "10.88.0/24",
                                       "fd00::1/129",
                                       "host/32",
                                       "10.88.0.1/-1",
                                       "10.88.0.1/32\"",
                                       "10.88.0.1/00",
                                       "::1/1000000000000",
                                       " 10.88.0.1/32",
                                       "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:00001/128" };
    put_row("{}");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error error = { 0 };
        cr_expect_not(smolvm_state_force_allowlist(&state, "b1", &bad[i], 1, NULL, &error), "%s", bad[i]);
        cr_expect_eq(error.code, ERROR_USAGE);
    }
    const char *many[SMOLVM_CIDRS + 1];
    for (size_t i = 0; i <= SMOLVM_CIDRS; i++)
        many[i] = "fd00:1111:2222:3333:4444:5555:6666:7777/128";
    cr_expect_not(smolvm_state_force_allowlist(&state, "b1", many, 0, NULL, NULL), "[] is no deny-all");
    cr_expect_not(smolvm_state_force_allowlist(&state, "b1", many, SMOLVM_CIDRS + 1, NULL, NULL));
    expect_blob("{}");
    cr_expect(smolvm_state_force_allowlist(&state, "b1", many, SMOLVM_CIDRS, NULL, NULL));
}

Test(launcher_smolvm_state, a_text_value_becomes_a_blob_even_where_its_list_is_right)
{
    static const char row[] = ROW("\"allowed_cidrs\":[\"10.88.0.1/32\"],");
    struct error error = { 0 };
    bool written = false;
    put_bytes("b1", row, strlen(row), false);
    cr_assert(force(&written, &error), "%s", error.text);
    cr_expect(written);
    expect_blob(row);
}

Test(launcher_smolvm_state, a_row_that_is_no_object_of_json_is_refused_and_left_as_it_is)
{
    static char deep[6000];
    memset(deep, '[', sizeof deep - 1);
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
#define BYTES(text) { text, sizeof text - 1 }
        BYTES(""),
        BYTES("null"),
        BYTES("[]"),
        BYTES("\"{}\""),
        BYTES("7"),
        BYTES("{"),
        BYTES("{\"allowed_cidrs\":[}"),
        BYTES("{} {}"),
        BYTES("{}x"),
        BYTES("{}\0{}"),
        BYTES("{'allowed_cidrs':null}"),
        BYTES("\xff\xfe"),
        BYTES("{\"allowed_cidrs\":null}\0"),
        { deep, sizeof deep - 1 },
        /* smolvm refuses a field that is there twice, however it is spelled. */
        BYTES("{\"allowed_cidrs\":[\"10.88.0.1/32\"],\"allowed_cidrs\":null}"),
        BYTES("{\"allowed_cidrs\":[\"10.88.0.1/32\"],\"allowed\\u005fcidrs\":null}"),
        BYTES("{\"allowed\\u005fcidrs\":[\"0.0.0.0/0\"]}"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { 0 };
        bool written = true;
        int type;
        put_bytes("b1", rows[i].bytes, rows[i].size, true);
        cr_expect_not(force(&written, &error), "row %zu", i);
        cr_expect(error.code == ERROR_HOST && strstr(error.text, "delete the machine") != NULL, "row %zu: %s", i,
                  error.text);
        cr_expect_not(written);
        cr_expect_arr_eq(stored_in(database, &type), rows[i].bytes, rows[i].size);
        struct smolvm_policy_row row;
        cr_expect_not(smolvm_state_read(&state, "b1", &row, NULL), "row %zu", i);
    }
}

Test(launcher_smolvm_state, what_is_no_database_is_refused)
{
    static const char *const contents[] = { "this is no database, and long enough to be looked at as one: 0123456789",
                                            "" };
    for (size_t i = 0; i < 2; i++) {
        struct error error = { 0 };
        struct smolvm_state junk = { write_scratch("junk.db", 0600, contents[i]), 10 };
        cr_expect_not(smolvm_state_force_allowlist(&junk, "b1", door, 1, NULL, &error));
        cr_expect(error.code == ERROR_HOST && strstr(error.text, "junk.db") != NULL, "%s", error.text);
    }
}

Test(launcher_smolvm_state, a_locked_database_is_an_error_in_time_and_a_released_one_is_written)
{
    struct error error = { 0 };
    sqlite3 *other = open_again();
    put_row("{\"allowed_cidrs\":null}");
    cr_assert_eq(
        sqlite3_exec(other, "BEGIN IMMEDIATE; UPDATE vms SET data = CAST('{\"x\":1}' AS BLOB)", NULL, NULL, NULL),
        SQLITE_OK);
    state.busy_milliseconds = 50;
    uint64_t began = clock_microseconds();
    cr_expect_not(force(NULL, &error));
    cr_expect_geq(clock_microseconds() - began, 50000, "it was not waited for");
    cr_expect(error.code == ERROR_HOST && strstr(error.text, "locked by another process for 50 ms") != NULL, "%s",
              error.text);
    /* What isn't committed isn't seen. */
    struct smolvm_policy_row row;
    error = (struct error){ 0 };
    expect_blob("{\"allowed_cidrs\":null}");
    cr_expect(smolvm_state_read(&state, "b1", &row, &error) && !row.limited, "%s", error.text);
    cr_assert_eq(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    cr_expect(force(NULL, &error), "%s", error.text);
    expect_blob("{\"x\":1,\"allowed_cidrs\":[\"10.88.0.1/32\"]}");
    sqlite3_close(other);
}

Test(launcher_smolvm_state, a_reader_that_has_not_ended_hinders_nobody)
{
    struct error error = { 0 };
    int type;
    sqlite3 *reader = open_again();
    put_row("{\"allowed_cidrs\":null}");
    cr_assert_eq(sqlite3_exec(reader, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    cr_expect_str_eq(stored_in(reader, &type), "{\"allowed_cidrs\":null}");
    state.busy_milliseconds = 50;
    cr_expect(force(NULL, &error), "%s", error.text);
    cr_expect_str_eq(stored_in(reader, &type), "{\"allowed_cidrs\":null}", "its snapshot is its own");
    expect_blob("{\"allowed_cidrs\":[\"10.88.0.1/32\"]}");
    sqlite3_close(reader);
}

/* Counts field n of the row up by one, `times` times, as smolvm saves a record: reads it, writes it whole. */
static void count_up(unsigned times)
{
    sqlite3 *own = open_again();
    for (unsigned i = 0; i < times; i++)
        if (sqlite3_exec(own,
                         "BEGIN IMMEDIATE; UPDATE vms SET data = CAST(json_set(CAST(data AS TEXT), '$.n', "
                         "json_extract(CAST(data AS TEXT), '$.n') + 1) AS BLOB) WHERE name = 'b1'; COMMIT",
                         NULL, NULL, NULL) != SQLITE_OK)
            _exit(1);
    sqlite3_close(own);
}

Test(launcher_smolvm_state, of_two_writers_neither_loses_what_the_other_wrote)
{
    enum { TIMES = 100 };
    pid_t writers[3];
    put_row("{\"n\":0,\"allowed_cidrs\":null}");
    sqlite3_close(database); /* SQLite is not to be carried across a fork */
    for (int writer = 0; writer < 3; writer++) {
        writers[writer] = fork();
        if (writers[writer] == 0 && writer == 2) {
            count_up(TIMES);
            _exit(0);
        }
        if (writers[writer] == 0) {
            const char *const own[] = { writer == 0 ? "10.0.0.1/32" : "10.0.0.2/32" };
            for (unsigned i = 0; i < TIMES; i++) {
                struct error error = { 0 };
                /* The other one may have written in between: then the read-back differs, which is told. */
                if (!smolvm_state_force_allowlist(&state, "b1", own, 1, NULL, &error) &&
                    strstr(error.text, "not what is read back") == NULL)
                    _exit(2);
            }
            _exit(0);
        }
    }
    for (int writer = 0; writer < 3; writer++) {
        int status;
        cr_assert(process_wait(writers[writer], clock_microseconds() + PATIENCE, &status));
        cr_expect_eq(process_exit_status(status), 0, "writer %d", writer);
    }
    database = open_again();
    struct error error = { 0 };
    cr_expect(force(NULL, &error), "%s", error.text);
    expect_blob("{\"n\":100,\"allowed_cidrs\":[\"10.88.0.1/32\"]}");
}

Test(launcher_smolvm_state, a_row_that_reads_back_differently_is_refused)
{
    struct error error = { 0 };
    put_row("{\"allowed_cidrs\":null}");
    run_sql("CREATE TRIGGER undo AFTER UPDATE ON vms BEGIN UPDATE vms SET data = "
            "CAST('{\"allowed_cidrs\":[\"10.88.0.1/32\",\"0.0.0.0/0\"]}' AS BLOB); END");
    cr_expect_not(force(NULL, &error));
    cr_expect_not_null(strstr(error.text, "not what is read back: don't start it"), "%s", error.text);
    run_sql("DROP TRIGGER undo; CREATE TRIGGER vanish AFTER UPDATE ON vms BEGIN DELETE FROM vms; END");
    error = (struct error){ 0 };
    cr_expect_not(force(NULL, &error));
    cr_expect_not_null(strstr(error.text, "not what is read back"), "%s", error.text);
}

Test(launcher_smolvm_state, a_mutant_loses_exactly_the_part_that_it_is_named_for)
{
    static const char whole[] = ROW("\"allowed_cidrs\":[\"10.88.0.1/32\"],\"dns\":\"10.88.0.1\"," UNKNOWN
                                    "\"dns_filter_hosts\":[\"10.88.0.1\"],");
    struct error error = { 0 };
    put_row(whole);
    for (int twice = 0; twice < 2; twice++) {
        cr_assert(smolvm_state_drop(&state, "b1", SMOLVM_DROP_CIDRS, &error), "%s", error.text);
        expect_blob(
            ROW("\"allowed_cidrs\":null,\"dns\":\"10.88.0.1\"," UNKNOWN "\"dns_filter_hosts\":[\"10.88.0.1\"],"));
    }
    put_row(whole);
    for (int twice = 0; twice < 2; twice++) {
        cr_assert(smolvm_state_drop(&state, "b1", SMOLVM_DROP_DNS_FILTER, &error), "%s", error.text);
        expect_blob(ROW("\"allowed_cidrs\":[\"10.88.0.1/32\"]," UNKNOWN));
    }
    cr_expect_not(smolvm_state_drop(&state, "b2", SMOLVM_DROP_CIDRS, &error));
}

Test(launcher_smolvm_state, the_policy_of_a_row_is_read_as_it_is_stored)
{
    static const struct {
        const char *row;
        struct smolvm_policy_row policy;
    } rows[] = {
        { ROW("\"allowed_cidrs\":[\"10.88.0.1/32\"],\"dns\":\"10.88.0.1\",\"dns_filter_hosts\":[\"10.88.0.1\"],"),
          { .limited = true,
            .cidr_count = 1,
            .cidrs = { "10.88.0.1/32" },
            .filtered = true,
            .host_count = 1,
            .hosts = { "10.88.0.1" },
            .dns = "10.88.0.1",
            .network = true } },
        { ROW("\"allowed_cidrs\":null,\"network_backend\":\"virtio-net\","),
          { .network_backend = "virtio-net", .network = true } },
        { "{\"allowed_cidrs\":[\"a\",\"b\"],\"network\":false,\"network_backend\":null,\"dns\":null,\"dns_filter_"
          "hosts\":[]}",
          { .limited = true, .cidr_count = 2, .cidrs = { "a", "b" }, .filtered = true } },
        { "{}", { .network = false } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { 0 };
        struct smolvm_policy_row row;
        put_row(rows[i].row);
        leave_log();
        unsigned long long before = files();
        cr_expect(smolvm_state_read(&state, "b1", &row, &error), "row %zu: %s", i, error.text);
        const struct smolvm_policy_row *policy = &rows[i].policy;
        cr_expect(row.limited == policy->limited && row.filtered == policy->filtered &&
                      row.network == policy->network && row.cidr_count == policy->cidr_count &&
                      row.host_count == policy->host_count,
                  "row %zu", i);
        cr_expect_arr_eq(row.cidrs, policy->cidrs, sizeof row.cidrs, "row %zu", i);
        cr_expect_arr_eq(row.hosts, policy->hosts, sizeof row.hosts, "row %zu", i);
        cr_expect_str_eq(row.network_backend, policy->network_backend);
        cr_expect_str_eq(row.dns, policy->dns);
        cr_expect_eq(files(), before);
        database = open_again();
    }
}

Test(launcher_smolvm_state, a_policy_that_is_not_as_smolvm_writes_it_is_not_read)
{
    static const char *const rows[] = {
        "{\"allowed_cidrs\":\"10.88.0.1/32\"}",
        "{\"allowed_cidrs\":{}}",
        "{\"allowed_cidrs\":[7]}",
        "{\"allowed_cidrs\":[null]}",
        "{\"allowed_cidrs\":[\"a\\u0000b\"]}",
        "{\"allowed_cidrs\":[\"0123456789012345678901234567890123456789012345678901234567890123\"]}",
        "{\"allowed_cidrs\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]}",
        "{\"dns_filter_hosts\":true}",
        "{\"network_backend\":[]}",
        "{\"network_backend\":\"01234567890123456789012345678901\"}",
        "{\"dns\":8}",
        "{\"network\":1}",
        "{\"network\":\"true\"}",
        "{\"network\":null}",
        "{\"network\":true,\"network\":false}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { 0 };
        struct smolvm_policy_row row;
        put_row(rows[i]);
        cr_expect_not(smolvm_state_read(&state, "b1", &row, &error), "row %zu", i);
        cr_expect(error.code == ERROR_HOST && strstr(error.text, "b1") != NULL, "row %zu: %s", i, error.text);
    }
    struct smolvm_policy_row row;
    cr_expect_not(smolvm_state_read(&state, "b2", &row, NULL));
}
