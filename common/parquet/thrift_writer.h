// Thrift's compact protocol, as far as the metadata of Parquet needs it. Not thread-safe.
//
// Fields are written in order of their ids; a struct is everything between Begin and End.
#ifndef CHARTLY_COMMON_PARQUET_THRIFT_WRITER_H_
#define CHARTLY_COMMON_PARQUET_THRIFT_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace chartly::parquet {

class ThriftWriter {
 public:
  // What is written goes behind `out`, which must outlive the writer. The outermost struct is open already.
  explicit ThriftWriter(std::string& out) : out_(out) {}

  void Integer32(int16_t field, int32_t number);
  void Integer64(int16_t field, int64_t number);
  void Boolean(int16_t field, bool value);
  void Text(int16_t field, absl::string_view text);
  // A field that is a struct.
  void BeginStruct(int16_t field);
  // A field that is a list; then come `size` elements.
  void BeginIntegers(int16_t field, size_t size);
  void BeginTexts(int16_t field, size_t size);
  void BeginStructs(int16_t field, size_t size);
  void ElementInteger(int32_t number);
  void ElementText(absl::string_view text);
  void BeginElement();
  // Ends a struct: a field, an element, or the outermost one.
  void EndStruct();

 private:
  void FieldHeader(int16_t field, uint8_t type);
  void ListHeader(int16_t field, size_t size, uint8_t element_type);
  void Varint(uint64_t number);
  void ZigZag(int64_t number);

  std::string& out_;
  int16_t last_field_ = 0;
  std::vector<int16_t> open_;  // last fields of the structs around this one
};

}  // namespace chartly::parquet

#endif  // CHARTLY_COMMON_PARQUET_THRIFT_WRITER_H_
