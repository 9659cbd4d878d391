// Distinct texts of a column and the code of each row.
#ifndef CHARTLY_COMMON_CHUNK_TEXT_ENTRIES_H_
#define CHARTLY_COMMON_CHUNK_TEXT_ENTRIES_H_

#include "common/chunk/column_data.h"

namespace chartly {

// Brings the entries of a column with codes into order of bytes, drops those that no row takes, and joins equal ones.
// Null rows get code 0.
void SortEntries(ColumnData& column);
// Gives a column without codes its codes if at most `most` texts are distinct; else says false and leaves it.
bool MakeEntries(ColumnData& column, size_t most);
// Turns codes into one text a row.
void ExpandEntries(ColumnData& column);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_TEXT_ENTRIES_H_
