#include "api/images.h"

#include "api/image_fields.h"

namespace proa::api {

Json to_json(const ImageSummary& value) { return json::encode(value); }
ImageSummary image_summary_from_json(const Json& value) { return json::decode<ImageSummary>(value); }
Json to_json(const ImageConfig& value) { return json::encode(value); }
ImageConfig image_config_from_json(const Json& value) { return json::decode<ImageConfig>(value); }
Json to_json(const ImageInspect& value) { return json::encode(value); }
ImageInspect image_inspect_from_json(const Json& value) { return json::decode<ImageInspect>(value); }
Json to_json(const ImageHistoryItem& value) { return json::encode(value); }
ImageHistoryItem image_history_item_from_json(const Json& value) { return json::decode<ImageHistoryItem>(value); }
Json to_json(const ImageDeleteItem& value) { return json::encode(value); }
ImageDeleteItem image_delete_item_from_json(const Json& value) { return json::decode<ImageDeleteItem>(value); }
Json to_json(const ImagesPruneReport& value) { return json::encode(value); }
Json to_json(const AuthConfig& value) { return json::encode(value); }
AuthConfig auth_config_from_json(const Json& value) { return json::decode<AuthConfig>(value); }
Json to_json(const SearchResult& value) { return json::encode(value); }
Json to_json(const AuthResponse& value) { return json::encode(value); }

std::string encode_auth_header(const AuthConfig& value) { return base64url_encode(json::text(to_json(value))); }

AuthConfig decode_auth_header(std::string_view header) {
  std::optional<std::string> text = base64_decode(header);
  if (!text || text->empty()) return {};
  try {
    return auth_config_from_json(json::parse(*text));
  } catch (const Error&) {
    return {};
  }
}

}  // namespace proa::api
