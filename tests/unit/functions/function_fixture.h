#pragma once

#include <string>
#include <string_view>

#include "functions/function_engine.h"
#include "functions/script_engine.h"
#include "server/base/strings.h"
#include "tests/unit/commands/command_fixture.h"

namespace tandem {

// All commands and a function engine, in process.
class FunctionFixture : public CommandFixture {
 protected:
  FunctionFixture() {
    services_.functions = &engine_;
    services_.scripts = &scripts_;
  }

  // FUNCTION LOAD REPLACE of library `lib` with this code behind its first line.
  std::string load(std::string_view code) {
    return run("FUNCTION", "LOAD", "REPLACE", "#!lua name=lib\n" + std::string(code));
  }
  // Loads a library whose only function, `f`, has this body on line 3, with KEYS and ARGV.
  std::string load_body(std::string_view body, std::string_view flags = "") {
    return load("server.register_function{function_name='f', flags={" + std::string(flags) +
                "}, callback=function(KEYS, ARGV)\n" + std::string(body) + "\nend}");
  }
  // What FCALL of such a function answers.
  std::string eval(std::string_view body) {
    const std::string loaded = load_body(body);
    return loaded == "lib" ? run("FCALL", "f", "0") : "load: " + loaded;
  }
  // What an error looks like that the body of eval() raised on its first line.
  static std::string raised(std::string_view text) {
    return "(error) " + std::string(text) + " script: f, on @user_function:3.";
  }

  FunctionEngine engine_{executor_};
  ScriptEngine scripts_{executor_};
};

}  // namespace tandem
