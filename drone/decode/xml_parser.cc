#include "drone/decode/xml_parser.h"

#include <expat.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

constexpr int kMaxDepth = 1024;
// Short slices keep what an unfinished token makes expat read again within bounds.
constexpr size_t kSliceBytes = size_t{64} << 10;
constexpr int64_t kMaxTokenBytes = int64_t{2} << 20;
constexpr size_t kMaxMarkedBytes = size_t{8} << 20;
constexpr int64_t kMaxParserBytes = int64_t{16} << 20;
constexpr int64_t kFreeExpansionBytes = int64_t{1} << 20;
constexpr int64_t kMaxExpansion = 16;
// Stands between namespace and local name; no document can hold it.
constexpr char kSeparator = '\x01';

// What the parser that runs in this thread has allocated: its allocator is not told which parser asks.
thread_local int64_t* allocated = nullptr;

void Account(void* memory, int sign) {
  if (allocated != nullptr && memory != nullptr) *allocated += sign * static_cast<int64_t>(malloc_usable_size(memory));
}

bool Affords(size_t bytes) {
  return allocated == nullptr ||
         (bytes < kMaxParserBytes && *allocated + static_cast<int64_t>(bytes) < kMaxParserBytes);
}

void* Allocate(size_t bytes) {
  void* memory = Affords(bytes) ? std::malloc(bytes) : nullptr;
  Account(memory, 1);
  return memory;
}

void* Reallocate(void* memory, size_t bytes) {
  if (!Affords(bytes)) return nullptr;
  auto before = static_cast<int64_t>(memory == nullptr ? 0 : malloc_usable_size(memory));
  void* moved = std::realloc(memory, bytes);
  if (moved != nullptr && allocated != nullptr) *allocated -= before;
  Account(moved, 1);
  return moved;
}

void Free(void* memory) {
  Account(memory, -1);
  std::free(memory);
}

// "uri SEPARATOR local" or "local".
XmlName Split(const char* full, XmlUris& uris) {
  const char* const end = ::strchrnul(full, kSeparator);
  const absl::string_view first(full, static_cast<size_t>(end - full));
  if (*end != kSeparator) return {first, kNoUri};
  return {absl::string_view(end + 1), uris.Number(first)};
}

bool EndsEarly(XML_Error code) {
  return code == XML_ERROR_NO_ELEMENTS || code == XML_ERROR_UNCLOSED_TOKEN || code == XML_ERROR_PARTIAL_CHAR ||
         code == XML_ERROR_UNCLOSED_CDATA_SECTION;
}

}  // namespace

XmlName XmlAttributes::name() const { return Split(at_->full_name, uris_); }

struct XmlParser::Expat {
  Expat(XmlHandler& handler_arg, XmlUris& uris_arg) : handler(handler_arg), uris(uris_arg) {
    allocated = &bytes;
    XML_Memory_Handling_Suite memory{Allocate, Reallocate, Free};
    parser = XML_ParserCreate_MM("UTF-8", &memory, std::string(1, kSeparator).c_str());
    XML_SetUserData(parser, this);
    XML_SetElementHandler(parser, OnStart, OnEnd);
    XML_SetCharacterDataHandler(parser, OnText);
    XML_SetExternalEntityRefHandler(parser, OnExternalEntity);
    XML_SetSkippedEntityHandler(parser, OnSkippedEntity);
    allocated = nullptr;
  }
  ~Expat() { XML_ParserFree(parser); }

  static void XMLCALL OnStart(void* data, const XML_Char* name, const XML_Char** attributes) {
    auto& self = *static_cast<Expat*>(data);
    if (++self.depth > kMaxDepth) {
      self.Stop(self.Wrong("PAYLOAD_TOO_DEEP", absl::StrCat("elements are nested more than ", kMaxDepth, " deep")));
    }
    self.attributes.clear();
    for (const XML_Char** pair = attributes; *pair != nullptr; pair += 2) {
      const absl::string_view value(pair[1]);
      self.produced += static_cast<int64_t>(value.size());
      self.attributes.push_back({pair[0], value});
    }
    if (self.stopped) return;
    self.Stop(self.handler.OnStart(Split(name, self.uris), XmlAttributes(self.attributes, self.uris)));
    self.CheckExpansion();
  }

  static void XMLCALL OnEnd(void* data, const XML_Char*) {
    auto& self = *static_cast<Expat*>(data);
    --self.depth;
    if (!self.stopped) self.Stop(self.handler.OnEnd());
  }

  static void XMLCALL OnText(void* data, const XML_Char* text, int size) {
    auto& self = *static_cast<Expat*>(data);
    self.produced += size;
    if (!self.stopped) self.Stop(self.handler.OnText({text, static_cast<size_t>(size)}));
    self.CheckExpansion();
  }

  static int XMLCALL OnExternalEntity(XML_Parser, const XML_Char*, const XML_Char*, const XML_Char*, const XML_Char*) {
    return XML_STATUS_ERROR;
  }

  static void XMLCALL OnSkippedEntity(void* data, const XML_Char* name, int) {
    auto& self = *static_cast<Expat*>(data);
    self.Stop(self.ExternalEntity(name));
  }

  absl::Status Wrong(absl::string_view reason, absl::string_view what) const {
    return Error(absl::StatusCode::kInvalidArgument, reason,
                 absl::StrCat(what, ", at line ", XML_GetCurrentLineNumber(parser), ", column ",
                              XML_GetCurrentColumnNumber(parser) + 1));
  }

  absl::Status ExternalEntity(absl::string_view name) const {
    return Wrong(
        "PAYLOAD_HAS_EXTERNAL_ENTITY",
        absl::StrCat("the document refers to an entity", name.empty() ? "" : " &", name, name.empty() ? "" : ";",
                     " outside of it; nothing outside is read, so ask the publisher for the plain text"));
  }

  void Stop(const absl::Status& why) {
    if (why.ok() || stopped) return;
    stopped = true;
    status = why;
    XML_StopParser(parser, XML_FALSE);
  }

  // Without entities a document produces less than its own size.
  void CheckExpansion() {
    if (produced <= kFreeExpansionBytes || produced <= kMaxExpansion * fed) return;
    Stop(Wrong("PAYLOAD_ENTITY_BOMB", "entities make the document more than sixteen times as large as it is"));
  }

  absl::Status Failure(bool last) const {
    if (stopped) return status;
    XML_Error code = XML_GetErrorCode(parser);
    if (code == XML_ERROR_NO_MEMORY) {
      return Wrong("PAYLOAD_TOO_COMPLEX", "the document has too many different names or entities");
    }
    if (code == XML_ERROR_EXTERNAL_ENTITY_HANDLING) return ExternalEntity("");
    if (code == XML_ERROR_AMPLIFICATION_LIMIT_BREACH)
      return Wrong("PAYLOAD_ENTITY_BOMB", "entities grow without bound");
    if (last && EndsEarly(code)) return Wrong("PAYLOAD_TRUNCATED", "the document ends early");
    return Wrong("PAYLOAD_NOT_XML", absl::StrCat("this is not XML: ", XML_ErrorString(code)));
  }

  absl::Status Feed(absl::string_view slice, bool last) {
    slice_text = slice;
    slice_begin = fed;
    fed += static_cast<int64_t>(slice.size());
    allocated = &bytes;
    XML_Status done = XML_Parse(parser, slice.data(), static_cast<int>(slice.size()), last ? XML_TRUE : XML_FALSE);
    allocated = nullptr;
    if (done != XML_STATUS_OK || stopped) return Failure(last);
    if (fed - XML_GetCurrentByteIndex(parser) > kMaxTokenBytes && !last) {
      return Wrong("PAYLOAD_TOKEN_TOO_LARGE", "a tag, comment or instruction is larger than 2 MiB");
    }
    return Keep();
  }

  // The slice goes; what is marked of it stays, and so does a token that has only begun, since it may be marked yet.
  absl::Status Keep() {
    if (mark >= 0) {
      size_t from = static_cast<size_t>(std::max<int64_t>(mark - slice_begin, 0));
      before_slice.append(slice_text.data() + from, slice_text.size() - from);
      if (before_slice.size() > kMaxMarkedBytes) {
        return Wrong("PAYLOAD_ROW_TOO_LARGE", "an element that is a row is larger than 8 MiB");
      }
    }
    auto open = static_cast<size_t>(std::max<int64_t>(fed - XML_GetCurrentByteIndex(parser), 0));
    tail.append(slice_text.data(), slice_text.size());
    tail.erase(0, tail.size() - std::min(open, tail.size()));
    return absl::OkStatus();
  }

  void Mark() {
    mark = std::max<int64_t>(XML_GetCurrentByteIndex(parser), slice_begin - static_cast<int64_t>(tail.size()));
    auto begun = static_cast<size_t>(std::max<int64_t>(slice_begin - mark, 0));
    before_slice = tail.substr(tail.size() - begun);
  }

  int64_t EventEnd() const {
    return std::clamp<int64_t>(XML_GetCurrentByteIndex(parser) + XML_GetCurrentByteCount(parser), 0, fed);
  }

  std::string Marked() const {
    std::string out = before_slice;
    const int64_t from = std::max(mark, slice_begin);
    const int64_t end = EventEnd();
    if (mark >= 0 && end > from) {
      out.append(slice_text.data() + (from - slice_begin), static_cast<size_t>(end - from));
    }
    // Later releases of expat count the blanks behind a tag to it where they had to wait for more of the document.
    out.erase(out.find_last_not_of(" \t\r\n") + 1);
    return out;
  }

  XmlHandler& handler;
  XmlUris& uris;
  int64_t bytes = 0;  // held by expat
  XML_Parser parser = nullptr;
  bool stopped = false;
  absl::Status status;
  int depth = 0;
  int64_t fed = 0;
  int64_t produced = 0;                  // texts and values of attributes
  std::vector<XmlAttribute> attributes;  // of the last start tag
  int64_t mark = -1;                     // offset in the document; none: negative
  std::string before_slice;              // from the mark to the begin of the slice
  std::string tail;                      // of what was fed before the slice, from the last event on
  absl::string_view slice_text;
  int64_t slice_begin = 0;
};

XmlParser::XmlParser(XmlHandler& handler, XmlUris& uris) : expat_(std::make_unique<Expat>(handler, uris)) {}

XmlParser::~XmlParser() = default;

absl::Status XmlParser::Parse(Body& body) {
  while (true) {
    ASSIGN_OR_RETURN(absl::string_view piece, body.Read());
    if (piece.empty()) return expat_->Feed({}, true);
    while (!piece.empty()) {
      RETURN_IF_ERROR(expat_->Feed(piece.substr(0, kSliceBytes), false));
      piece.remove_prefix(std::min(kSliceBytes, piece.size()));
    }
  }
}

void XmlParser::Mark() { expat_->Mark(); }

void XmlParser::Unmark() {
  expat_->mark = -1;
  expat_->before_slice.clear();
}

std::string XmlParser::Marked() const { return expat_->Marked(); }

}  // namespace chartly::drone
