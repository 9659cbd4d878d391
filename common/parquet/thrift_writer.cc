#include "common/parquet/thrift_writer.h"

namespace chartly::parquet {
namespace {

// Types of the compact protocol.
constexpr uint8_t kTrue = 1;
constexpr uint8_t kFalse = 2;
constexpr uint8_t kInt32 = 5;
constexpr uint8_t kInt64 = 6;
constexpr uint8_t kBinary = 8;
constexpr uint8_t kList = 9;
constexpr uint8_t kStruct = 12;

}  // namespace

void ThriftWriter::Varint(uint64_t number) {
  for (; number >= 0x80; number >>= 7) out_.push_back(static_cast<char>(number | 0x80));
  out_.push_back(static_cast<char>(number));
}

void ThriftWriter::ZigZag(int64_t number) {
  Varint((static_cast<uint64_t>(number) << 1) ^ static_cast<uint64_t>(number >> 63));
}

void ThriftWriter::FieldHeader(int16_t field, uint8_t type) {
  int step = field - last_field_;
  if (step > 0 && step <= 15) {
    out_.push_back(static_cast<char>(step << 4 | type));
  } else {
    out_.push_back(static_cast<char>(type));
    ZigZag(field);
  }
  last_field_ = field;
}

void ThriftWriter::Integer32(int16_t field, int32_t number) {
  FieldHeader(field, kInt32);
  ZigZag(number);
}

void ThriftWriter::Integer64(int16_t field, int64_t number) {
  FieldHeader(field, kInt64);
  ZigZag(number);
}

void ThriftWriter::Boolean(int16_t field, bool value) { FieldHeader(field, value ? kTrue : kFalse); }

void ThriftWriter::Text(int16_t field, absl::string_view text) {
  FieldHeader(field, kBinary);
  ElementText(text);
}

void ThriftWriter::BeginStruct(int16_t field) {
  FieldHeader(field, kStruct);
  BeginElement();
}

void ThriftWriter::ListHeader(int16_t field, size_t size, uint8_t element_type) {
  FieldHeader(field, kList);
  if (size < 15) {
    out_.push_back(static_cast<char>(size << 4 | element_type));
    return;
  }
  out_.push_back(static_cast<char>(0xf0 | element_type));
  Varint(size);
}

void ThriftWriter::BeginIntegers(int16_t field, size_t size) { ListHeader(field, size, kInt32); }
void ThriftWriter::BeginTexts(int16_t field, size_t size) { ListHeader(field, size, kBinary); }
void ThriftWriter::BeginStructs(int16_t field, size_t size) { ListHeader(field, size, kStruct); }

void ThriftWriter::ElementInteger(int32_t number) { ZigZag(number); }

void ThriftWriter::ElementText(absl::string_view text) {
  Varint(text.size());
  out_.append(text.data(), text.size());
}

void ThriftWriter::BeginElement() {
  open_.push_back(last_field_);
  last_field_ = 0;
}

void ThriftWriter::EndStruct() {
  out_.push_back('\0');
  if (open_.empty()) return;
  last_field_ = open_.back();
  open_.pop_back();
}

}  // namespace chartly::parquet
