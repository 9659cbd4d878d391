// Reads the rows of a CSV text: RFC 4180 with the dialects that publishers write.
//
// Quoted fields may hold separators, line ends and doubled quotes; a quote inside an unquoted field is text. Lines end
// with LF or CRLF, or with CR where the first window of the text has no LF at all; the last one needs no end. Holds a
// window of the text, at least one row: 256 KiB that grow up to 16 MiB. No allocation per row. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_CSV_READER_H_
#define CHARTLY_DRONE_DECODE_CSV_READER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/normalize/row.h"
#include "drone/decode/body.h"
#include "drone/decode/byte_finder.h"

namespace chartly::drone {

struct CsvDialect {
  char delimiter = ',';
  std::optional<char> quote = '"';  // none: quotes are text
  std::optional<char> comment;      // lines that begin with it are no rows
};

class CsvReader {
 public:
  // Called before the rows that were read so far lose their texts; what it returns stops the reader.
  using BeforeMove = std::function<absl::Status()>;

  // Requires: `body`, in UTF-8, outlives this.
  CsvReader(Body& body, const CsvDialect& dialect, BeforeMove before_move = nullptr);

  // Leaves out `lines` lines, whatever they hold. Errors are those of the body.
  absl::Status SkipLines(int64_t lines);

  // Reads the next row; false at the end. InvalidArgument: PAYLOAD_TRUNCATED if a quote is never closed (with the line
  // it began in), PAYLOAD_FIELD_TOO_LARGE past 1 MiB, PAYLOAD_ROW_TOO_LARGE past 16 MiB; or the error of the body.
  absl::StatusOr<bool> Next();

  // Of the row that was read; valid until the next call of Next. Texts and raw() stay until BeforeMove is called.
  size_t size() const { return count_; }
  absl::string_view field(size_t i) const { return cells_[i].text; }
  // The same as a field of a row: text, or null if it is empty, since CSV has no other way to write that. Its address
  // is the same for ever.
  const Field& cell(size_t i) const { return cells_[i]; }
  // As in the text, without the line end.
  absl::string_view raw() const { return {buffer_.get() + row_begin_, row_end_ - row_begin_}; }
  bool blank() const { return row_begin_ == row_end_; }  // an empty line
  // What is wrong with it; empty if nothing. A row with a fault has all its fields nevertheless.
  const std::string& fault() const { return fault_; }
  int64_t line() const { return row_line_; }  // where it began, one-based

 private:
  // The text between the quotes of a field.
  struct Quoted {
    bool is = false;
    bool doubled = false;  // holds doubled quotes
    size_t begin = 0;
    size_t end = 0;
    const uint32_t* after = nullptr;  // of the special bytes
  };

  absl::Status Fill();
  void Grow();
  void ChooseLineEnd();
  absl::StatusOr<bool> SkipLine();
  absl::StatusOr<bool> BeginRow();
  absl::Status TooLarge() const;
  absl::Status FieldTooLarge() const;

  bool Scan();
  Quoted ScanQuoted(size_t begin, const uint32_t* special);
  // `special` itself if it can be read: where a delimiter, quote or line end stands; end_ behind the last one.
  const uint32_t* Ready(const uint32_t* special) { return special == found_end_ ? FindSpecials() : special; }
  const uint32_t* FindSpecials();
  void RestartSpecials();
  absl::string_view TextOf(const Quoted& quoted, size_t end, size_t number);
  absl::string_view Unescaped(absl::string_view text);
  size_t LineEndAt(size_t position) const;

  Body& body_;
  const CsvDialect dialect_;
  const BeforeMove before_move_;
  const char quote_;  // the delimiter if there are no quotes
  char line_end_ = '\n';
  absl::string_view piece_;  // of the body, what is not in the buffer yet
  bool at_end_ = false;

  std::unique_ptr<char[]> buffer_;
  size_t capacity_;
  size_t end_ = 0;   // of the text in the buffer
  size_t next_ = 0;  // where the next row begins
  size_t row_begin_ = 0;
  size_t row_end_ = 0;
  size_t open_field_ = 0;  // of a row that is not whole: where its last field begins

  // Delimiters, quotes and line ends of the text, found some blocks ahead of the row.
  ByteFinder finder_;
  std::unique_ptr<uint32_t[]> found_;
  const uint32_t* found_end_ = nullptr;
  const uint32_t* special_ = nullptr;  // the first one that is not before next_
  size_t searched_ = 0;                // up to where in the buffer

  int64_t line_ = 1;
  int64_t row_line_ = 1;
  int64_t quote_line_ = 1;
  std::string fault_;
  std::string scratch_;  // texts of the buffer without doubled quotes; never moves
  std::vector<Field> cells_;
  size_t count_ = 0;
  size_t largest_ = 0;  // bytes of a field of the row
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_CSV_READER_H_
