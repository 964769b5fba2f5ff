import "./styles/base.css";
import "./styles/worklist.css";
import "./styles/overview.css";
import "./styles/study.css";
import "./styles/findings.css";
import "./styles/viewport.css";
import "./styles/compare.css";
import "./components/app";
