// Reads rows of RFC 4180 text: quoted fields with "" and line ends inside, LF or CRLF, a last line without line end.
// A quote inside an unquoted field is text. Holds one row at a time; the text must outlive it. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_CSV_READER_H_
#define CHARTLY_DRONE_DECODE_CSV_READER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::drone {

class CsvReader {
 public:
  CsvReader(absl::string_view text, char delimiter) : text_(text), delimiter_(delimiter) {}

  // Reads the next row; false at the end. InvalidArgument: PAYLOAD_TRUNCATED if a quote is never closed (with the line
  // it began in), PAYLOAD_FIELD_TOO_LARGE past 1 MiB.
  absl::StatusOr<bool> Next();

  // Of the row that was read; valid until the next call of Next.
  size_t size() const { return cells_.size(); }
  absl::string_view field(size_t i) const;
  absl::string_view raw() const { return raw_; }  // as in the text, without the line end
  bool blank() const { return raw_.empty(); }     // an empty line
  // What is wrong with it; empty if nothing. A row with a fault has all its fields nevertheless.
  const std::string& fault() const { return fault_; }
  size_t line() const { return row_line_; }  // where it began, one-based

 private:
  // A view of the text, or of scratch_ if quotes had to be undone.
  struct Cell {
    bool unescaped = false;
    size_t offset = 0;
    size_t size = 0;
  };

  absl::Status ReadField();
  absl::Status ReadQuoted();
  void ReadPlain();
  bool AtLineEnd() const;
  void SkipLineEnd();

  absl::string_view text_;
  char delimiter_;
  size_t position_ = 0;
  size_t line_ = 1;
  size_t row_line_ = 1;
  absl::string_view raw_;
  std::string fault_;
  std::string scratch_;
  std::vector<Cell> cells_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_CSV_READER_H_
