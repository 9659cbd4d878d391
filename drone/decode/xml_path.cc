#include "drone/decode/xml_path.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/normalize/source_path.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

// Turns the steps of one path into steps of elements.
class XmlPathBuilder {
 public:
  XmlPathBuilder(const XmlNamespaces& namespaces, XmlUris& uris) : namespaces_(namespaces), uris_(uris) {}

  absl::StatusOr<XmlPath> Build(absl::string_view text) {
    ASSIGN_OR_RETURN(Path path, Path::ParseXml(text));
    path_.text = std::string(text);
    path_.levels_up = path.levels_up();
    for (const PathStep& step : path.steps()) {
      if (!path_.attribute.local.empty()) return Invalid("nothing follows an attribute");
      RETURN_IF_ERROR(Add(step));
    }
    return std::move(path_);
  }

 private:
  absl::Status Add(const PathStep& step) {
    if (step.kind == PathStep::Kind::kKey) return AddName(step.key);
    if (path_.steps.empty()) return Invalid("[ ] must follow the name of an element");
    XmlStep& element = path_.steps.back();
    if (step.kind == PathStep::Kind::kEach) {
      element.each = true;
    } else if (step.kind == PathStep::Kind::kIndex) {
      element.index = step.index;
    } else {
      ASSIGN_OR_RETURN(XmlNameTest name, NameTest(step.key));
      element.where.emplace_back(std::move(name), step.value);
    }
    return absl::OkStatus();
  }

  absl::Status AddName(absl::string_view key) {
    if (absl::StartsWith(key, "@")) {
      ASSIGN_OR_RETURN(path_.attribute, NameTest(key.substr(1)));
      return path_.attribute.local.empty() ? Invalid("expected a name after @") : absl::OkStatus();
    }
    XmlStep step;
    ASSIGN_OR_RETURN(step.name, NameTest(key));
    path_.steps.push_back(std::move(step));
    return absl::OkStatus();
  }

  absl::StatusOr<XmlNameTest> NameTest(absl::string_view key) {
    size_t colon = key.find(':');
    if (colon == absl::string_view::npos) return XmlNameTest{std::string(key), kAnyUri};
    auto found = namespaces_.find(std::string(key.substr(0, colon)));
    if (found == namespaces_.end()) {
      return Invalid(absl::StrCat("prefix ", key.substr(0, colon),
                                  " is not in source.namespaces; leave it out to take the name in any namespace"));
    }
    return XmlNameTest{std::string(key.substr(colon + 1)), uris_.Number(found->second)};
  }

  absl::Status Invalid(absl::string_view why) const {
    return Error(absl::StatusCode::kInvalidArgument, "PATH_INVALID", absl::StrCat("path \"", path_.text, "\": ", why),
                 {{"path", path_.text}});
  }

  const XmlNamespaces& namespaces_;
  XmlUris& uris_;
  XmlPath path_;
};

absl::Status Refused(absl::string_view what, absl::string_view text, absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "PATH_INVALID", absl::StrCat(what, ": path \"", text, "\" ", why),
               {{"path", text}});
}

}  // namespace

absl::StatusOr<XmlPath> ParseXmlFieldPath(absl::string_view text, const XmlNamespaces& namespaces, XmlUris& uris,
                                          absl::string_view what) {
  absl::StatusOr<XmlPath> path = XmlPathBuilder(namespaces, uris).Build(text);
  if (!path.ok()) return Annotate(path.status(), what);
  for (const XmlStep& step : path->steps) {
    if (step.each) return Refused(what, text, "holds [*]; every element is a row only in source.records");
  }
  return path;
}

absl::StatusOr<std::vector<XmlStep>> ParseXmlRecordsPath(absl::string_view text, const XmlNamespaces& namespaces,
                                                         XmlUris& uris) {
  constexpr absl::string_view kWhat = "source.records";
  absl::StatusOr<XmlPath> path = XmlPathBuilder(namespaces, uris).Build(text);
  if (!path.ok()) return Annotate(path.status(), kWhat);
  if (path->levels_up > 0) return Refused(kWhat, text, "begins at the root element; ^ leads nowhere");
  if (!path->attribute.local.empty()) return Refused(kWhat, text, "must lead to elements, not to an attribute");
  for (const XmlStep& step : path->steps) {
    if (step.index > 0) return Refused(kWhat, text, "counts elements; name them, or write [@name=\"value\"]");
  }
  return std::move(path->steps);
}

}  // namespace chartly::drone
