#include "control/gateway/json_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "chartly/v1/record.pb.h"
#include "common/text/json_string.h"
#include "control/gateway/field_text.h"
#include "control/gateway/json_number.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::gateway {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::util::TimeUtil;

void WriteMessage(const Message& message, std::string& out);

// The shortest digits that read back as the same number.
template <typename Number>
void WriteFloating(Number number, std::string& out) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  char digits[40];
  auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  out.append(digits, end);
}

void WriteValue(const v1::Value& value, std::string& out) {
  switch (value.kind_case()) {
    case v1::Value::kText:
      return AppendJsonString(out, value.text());
    case v1::Value::kInteger:
      absl::StrAppend(&out, value.integer());
      return;
    case v1::Value::kDecimal:
      if (IsJsonNumber(value.decimal())) {
        out += value.decimal();
      } else {
        AppendJsonString(out, value.decimal());
      }
      return;
    case v1::Value::kFloat:
      return WriteFloating(value.float_(), out);
    case v1::Value::kBoolean:
      out += value.boolean() ? "true" : "false";
      return;
    case v1::Value::kTimestamp:
      return AppendJsonString(out, value.timestamp());
    case v1::Value::kDate:
      return AppendJsonString(out, value.date());
    case v1::Value::KIND_NOT_SET:
      out += "null";
  }
}

void WriteTime(const Message& message, std::string& out) {
  if (message.GetDescriptor() == google::protobuf::Timestamp::descriptor()) {
    return AppendJsonString(out, TimeUtil::ToString(static_cast<const google::protobuf::Timestamp&>(message)));
  }
  AppendJsonString(out, TimeUtil::ToString(static_cast<const google::protobuf::Duration&>(message)));
}

void WriteEnum(const FieldDescriptor& field, int number, std::string& out) {
  const google::protobuf::EnumValueDescriptor* value = field.enum_type()->FindValueByNumber(number);
  if (value == nullptr) {
    absl::StrAppend(&out, number);  // from a newer part
  } else {
    AppendJsonString(out, EnumText(*value));
  }
}

// One value of a field; `index` is that of a repeated one, or -1.
void WriteScalar(const Message& message, const FieldDescriptor& field, int index, std::string& out) {
  const Reflection& r = *message.GetReflection();
  auto get = [&](auto single, auto repeated) {
    return index < 0 ? (r.*single)(message, &field) : (r.*repeated)(message, &field, index);
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      absl::StrAppend(&out, get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32));
      return;
    case FieldDescriptor::CPPTYPE_INT64:
      absl::StrAppend(&out, get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64));
      return;
    case FieldDescriptor::CPPTYPE_UINT32:
      absl::StrAppend(&out, get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32));
      return;
    case FieldDescriptor::CPPTYPE_UINT64:
      absl::StrAppend(&out, get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64));
      return;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return WriteFloating(get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble), out);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return WriteFloating(get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat), out);
    case FieldDescriptor::CPPTYPE_BOOL:
      out += get(&Reflection::GetBool, &Reflection::GetRepeatedBool) ? "true" : "false";
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      return WriteEnum(field, get(&Reflection::GetEnumValue, &Reflection::GetRepeatedEnumValue), out);
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string text = get(&Reflection::GetString, &Reflection::GetRepeatedString);
      AppendJsonString(out, field.type() == FieldDescriptor::TYPE_BYTES ? absl::Base64Escape(text) : text);
      return;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return WriteMessage(index < 0 ? r.GetMessage(message, &field) : r.GetRepeatedMessage(message, &field, index),
                          out);
  }
}

void WriteMap(const Message& message, const FieldDescriptor& map, std::string& out) {
  const Reflection& r = *message.GetReflection();
  const FieldDescriptor& key_field = *map.message_type()->map_key();
  const FieldDescriptor& value_field = *map.message_type()->map_value();
  std::vector<std::pair<std::string, std::string>> entries;
  for (int i = 0; i < r.FieldSize(message, &map); ++i) {
    const Message& entry = r.GetRepeatedMessage(message, &map, i);
    auto& [key, value] = entries.emplace_back();
    WriteScalar(entry, key_field, -1, key);
    if (key[0] != '"') key = absl::StrCat("\"", key, "\"");
    WriteScalar(entry, value_field, -1, value);
  }
  std::sort(entries.begin(), entries.end());
  out += '{';
  for (size_t i = 0; i < entries.size(); ++i) {
    absl::StrAppend(&out, i == 0 ? "" : ",", entries[i].first, ":", entries[i].second);
  }
  out += '}';
}

void WriteField(const Message& message, const FieldDescriptor& field, std::string& out) {
  if (field.is_map()) return WriteMap(message, field, out);
  if (!field.is_repeated()) return WriteScalar(message, field, -1, out);
  out += '[';
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    if (i > 0) out += ',';
    WriteScalar(message, field, i, out);
  }
  out += ']';
}

void WriteMessage(const Message& message, std::string& out) {
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  if (IsValueType(type)) return WriteValue(static_cast<const v1::Value&>(message), out);
  if (IsTimeType(type)) return WriteTime(message, out);
  out += '{';
  bool first = true;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.has_presence() && !message.GetReflection()->HasField(message, &field)) continue;
    absl::StrAppend(&out, first ? "\"" : ",\"", field.name(), "\":");
    first = false;
    WriteField(message, field, out);
  }
  out += '}';
}

}  // namespace

std::string WriteJson(const Message& message) {
  std::string out;
  WriteMessage(message, out);
  return out;
}

}  // namespace chartly::gateway
