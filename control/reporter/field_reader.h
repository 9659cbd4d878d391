// One named field of one batch, whatever types its columns have. Canonical bytes of dictionary entries are made once
// a batch, not once a row. Not thread-safe; the batch must outlive the reader.
#ifndef CHARTLY_CONTROL_REPORTER_FIELD_READER_H_
#define CHARTLY_CONTROL_REPORTER_FIELD_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/batch/batch.h"

namespace chartly::reporter {

class FieldReader {
 public:
  FieldReader(const Batch& batch, Role role, absl::string_view name);
  // Null if no column has a value in that row.
  Value Get(uint32_t row) const;
  // Appends length and canonical bytes of the value, so that keys of several fields cannot run into one another.
  // False, and nothing appended, if it is null.
  bool AppendKeyPart(uint32_t row, std::string& out);

 private:
  struct Source {
    const BatchColumn* column;
    std::vector<std::string> entries;  // key parts of the dictionary; empty text: not made yet
  };
  std::vector<Source> sources_;
};

// Appends the key part of a value that is not null.
void AppendKeyPart(const Value& value, std::string& out);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_FIELD_READER_H_
