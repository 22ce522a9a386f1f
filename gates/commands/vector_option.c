/* See vector_option.h. */
#include "vector_option.h"

const struct vector *vector_option_find(const char *text, struct error *error)
{
    uint16_t id = vector_parse_id(text);
    const struct vector *vector = id != 0 ? vector_find(id) : NULL;
    if (id == 0)
        error_set(error, ERROR_USAGE, "\"%.40s\" is no vector id; one looks like BG-049", text);
    else if (vector == NULL)
        error_set(error, ERROR_USAGE, "there is no vector %.40s in this version; bottle-gate vectors lists them", text);
    return vector;
}

const char *vector_option_id_at(size_t index)
{
    static char text[8];
    if (index >= vector_count)
        return NULL;
    vector_format_id(vectors[index].id, text);
    return text;
}
