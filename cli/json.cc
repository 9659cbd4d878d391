#include "cli/json.h"

#include <simdjson.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr int kMaxDepth = 64;

absl::Status Invalid(absl::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "JSON_INVALID", absl::StrCat("this is not JSON: ", what));
}

void AppendQuoted(absl::string_view text, std::string& out) {
  out.push_back('"');
  for (char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += absl::StrFormat("\\u%04x", c);
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
}

// simdjson's DOM would turn numbers into doubles; the on-demand reader gives their text.
using OnDemand = simdjson::ondemand::value;
simdjson::error_code Build(OnDemand value, int depth, Json& out);

simdjson::error_code BuildArray(OnDemand value, int depth, Json& out) {
  simdjson::ondemand::array array;
  if (auto error = value.get_array().get(array)) return error;
  out = Json::Array();
  for (auto element : array) {
    OnDemand item;
    if (auto error = element.get(item)) return error;
    Json built;
    if (auto error = Build(item, depth + 1, built)) return error;
    out.Add(std::move(built));
  }
  return simdjson::SUCCESS;
}

simdjson::error_code BuildObject(OnDemand value, int depth, Json& out) {
  simdjson::ondemand::object object;
  if (auto error = value.get_object().get(object)) return error;
  out = Json::Object();
  for (auto entry : object) {
    simdjson::ondemand::field field;
    if (auto error = std::move(entry).get(field)) return error;
    std::string_view name;
    if (auto error = field.unescaped_key().get(name)) return error;
    std::string key(name);
    Json built;
    if (auto error = Build(field.value(), depth + 1, built)) return error;
    out.Set(key, std::move(built));
  }
  return simdjson::SUCCESS;
}

simdjson::error_code BuildScalar(OnDemand value, simdjson::ondemand::json_type type, Json& out) {
  if (type == simdjson::ondemand::json_type::string) {
    std::string_view text;
    if (auto error = value.get_string().get(text)) return error;
    out = Json::Text(absl::string_view(text.data(), text.size()));
    return simdjson::SUCCESS;
  }
  std::string_view token = value.raw_json_token();
  absl::string_view trimmed = absl::StripAsciiWhitespace(absl::string_view(token.data(), token.size()));
  if (type == simdjson::ondemand::json_type::null) {
    // Before version 3.2 simdjson looks at the first letter only.
    if (trimmed != "null") return simdjson::N_ATOM_ERROR;
    out = Json();
    return simdjson::SUCCESS;
  }
  std::string digits(trimmed);
  if (type == simdjson::ondemand::json_type::boolean) {
    bool ignored = false;
    if (auto error = value.get_bool().get(ignored)) return error;
  } else if (digits.find_first_not_of("0123456789+-.eE") != std::string::npos) {
    return simdjson::NUMBER_ERROR;
  }
  out = Json::Scalar(digits);
  return simdjson::SUCCESS;
}

simdjson::error_code Build(OnDemand value, int depth, Json& out) {
  if (depth > kMaxDepth) return simdjson::DEPTH_ERROR;
  simdjson::ondemand::json_type type;
  if (auto error = value.type().get(type)) return error;
  if (type == simdjson::ondemand::json_type::array) return BuildArray(value, depth, out);
  if (type == simdjson::ondemand::json_type::object) return BuildObject(value, depth, out);
  return BuildScalar(value, type, out);
}

}  // namespace

Json Json::Text(absl::string_view text) {
  Json json;
  json.kind_ = Kind::kText;
  json.text_ = std::string(text);
  return json;
}

Json Json::Scalar(absl::string_view token) {
  Json json;
  json.kind_ = Kind::kScalar;
  json.text_ = std::string(token);
  return json;
}

Json Json::Array() {
  Json json;
  json.kind_ = Kind::kArray;
  return json;
}

Json Json::Object() {
  Json json;
  json.kind_ = Kind::kObject;
  return json;
}

absl::StatusOr<Json> Json::Parse(absl::string_view text) {
  simdjson::ondemand::parser parser;
  simdjson::padded_string padded(text.data(), text.size());
  simdjson::ondemand::document document;
  simdjson::ondemand::value root;
  Json result;
  simdjson::error_code error = parser.iterate(padded).get(document);
  // A scalar on its own is JSON too, but no answer of a server here: it is refused.
  if (!error) error = document.get_value().get(root);
  if (!error) error = Build(root, 0, result);
  // There is a location only while something is left to read.
  if (!error && document.current_location().error() == simdjson::SUCCESS) error = simdjson::TAPE_ERROR;
  if (error) return Invalid(simdjson::error_message(error));
  return result;
}

std::string Json::text() const {
  if (kind_ == Kind::kText || kind_ == Kind::kScalar) return text_;
  return is_null() ? std::string() : ToText();
}

int64_t Json::integer() const {
  int64_t number = 0;
  return absl::SimpleAtoi(text_, &number) ? number : 0;
}

const Json& Json::operator[](absl::string_view name) const {
  static const Json& missing = *new Json();
  for (const auto& [key, value] : members_) {
    if (key == name) return value;
  }
  return missing;
}

Json& Json::Set(absl::string_view name, Json value) {
  members_.emplace_back(std::string(name), std::move(value));
  return *this;
}

Json& Json::Add(Json value) {
  items_.push_back(std::move(value));
  return *this;
}

std::string Json::ToText() const {
  std::string out;
  AppendText(out);
  return out;
}

void Json::AppendText(std::string& out) const {
  switch (kind_) {
    case Kind::kNull:
      out += "null";
      return;
    case Kind::kScalar:
      out += text_;
      return;
    case Kind::kText:
      return AppendQuoted(text_, out);
    case Kind::kArray: {
      out += "[";
      for (size_t i = 0; i < items_.size(); ++i) {
        if (i > 0) out += ",";
        items_[i].AppendText(out);
      }
      out += "]";
      return;
    }
    case Kind::kObject: {
      out += "{";
      for (size_t i = 0; i < members_.size(); ++i) {
        if (i > 0) out += ",";
        AppendQuoted(members_[i].first, out);
        out += ":";
        members_[i].second.AppendText(out);
      }
      out += "}";
      return;
    }
  }
}

}  // namespace chartly::cli
