// Draws the diagrams, in the colours of the theme that is chosen. Without mermaid.min.js beside this
// file, which scripts/site puts there, their source is shown.
(() => {
    const blocks = [...document.querySelectorAll('pre.mermaid')];
    if (blocks.length === 0) return;
    const sources = blocks.map((block) => block.textContent);
    const root = document.documentElement;

    async function draw() {
        const isDark = ['navy', 'coal', 'ayu'].some((theme) => root.classList.contains(theme));
        // The dark theme's own backgrounds hide the texts of lines and groups.
        const themeVariables = { clusterBkg: '#23283a', edgeLabelBackground: '#161923' };
        mermaid.initialize(isDark
            ? { startOnLoad: false, theme: 'dark', themeVariables }
            : { startOnLoad: false, theme: 'neutral' });
        blocks.forEach((block, index) => {
            block.textContent = sources[index];
            block.removeAttribute('data-processed');
        });
        await mermaid.run({ nodes: blocks });
    }

    const script = document.createElement('script');
    script.src = `${path_to_root}site/mermaid.min.js`;
    script.onload = () => {
        draw();
        new MutationObserver(draw).observe(root, { attributes: true, attributeFilter: ['class'] });
    };
    document.head.append(script);
})();
