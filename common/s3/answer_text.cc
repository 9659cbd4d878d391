#include "common/s3/answer_text.h"

#include <expat.h>

#include <memory>

#include "common/handle/handle.h"
#include "common/status/status.h"

namespace chartly::s3 {
namespace {

using Parser = std::unique_ptr<XML_ParserStruct, FreedBy<XML_ParserFree>>;

struct Reader {
  XML_Parser parser = nullptr;
  std::vector<std::pair<std::string, std::string>> found;
  std::string name;  // of the element that was begun last; empty once it, or one in it, has ended
  std::string text;
};

void Start(void* data, const char* name, const char**) {
  Reader& reader = *static_cast<Reader*>(data);
  reader.name = name;
  reader.text.clear();
}

void End(void* data, const char*) {
  Reader& reader = *static_cast<Reader*>(data);
  if (!reader.name.empty()) reader.found.emplace_back(std::move(reader.name), std::move(reader.text));
  reader.name.clear();
  reader.text.clear();
}

void Text(void* data, const char* text, int size) {
  static_cast<Reader*>(data)->text.append(text, static_cast<size_t>(size));
}

// Entities of its own would let a short answer become a long one.
void RefuseDoctype(void* data, const char*, const char*, const char*, int) {
  XML_StopParser(static_cast<Reader*>(data)->parser, XML_FALSE);
}

}  // namespace

absl::StatusOr<AnswerText> AnswerText::Parse(absl::string_view xml) {
  const Parser parser(XML_ParserCreate(nullptr));
  Reader reader;
  reader.parser = parser.get();
  XML_SetUserData(parser.get(), &reader);
  XML_SetElementHandler(parser.get(), Start, End);
  XML_SetCharacterDataHandler(parser.get(), Text);
  XML_SetStartDoctypeDeclHandler(parser.get(), RefuseDoctype);
  if (XML_Parse(parser.get(), xml.data(), static_cast<int>(xml.size()), XML_TRUE) != XML_STATUS_OK) {
    return Error(absl::StatusCode::kInvalidArgument, "S3_ANSWER_INVALID", "the object store did not answer in XML");
  }
  AnswerText answer;
  answer.elements_ = std::move(reader.found);
  return answer;
}

std::string AnswerText::First(absl::string_view name) const {
  for (const auto& [each, text] : elements_) {
    if (each == name) return text;
  }
  return "";
}

}  // namespace chartly::s3
